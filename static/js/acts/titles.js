// The whole of a time, as its title where it is pointed at, which loads this (see loader.js).
{
  const write = time => {
    if (!time || time.title) return;
    const date = new Date(time.dateTime), { lang } = document.documentElement;
    const [weekday, day, clock] = [{ weekday: "long" }, { dateStyle: "long" }, { timeStyle: "short", hourCycle: "h23" }]
      .map(style => date.toLocaleString(lang == "en" ? "en-GB" : lang, style));
    time.title = `${weekday}, ${day}, ${clock}`;
  };
  write(find("time.clock:hover"));
  on("pointerover", ({ target }) => write(target.closest("time.clock")));
}
