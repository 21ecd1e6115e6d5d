// Everyone gets the same bytes with the site's time in them; the reader's own time is only known here.
// Needs time elements of the classes clock, time and moment, and the script element's data-today and data-yesterday.
{
  const { today, yesterday } = texts, { lang } = document.documentElement;
  // English is written as in most of the world, and as the server does. Intl takes longer to begin than all the rest
  // of our script: it is asked only for what the server has not written already.
  const intl = (date, style) => date.toLocaleDateString(lang == "en" ? "en-GB" : lang, style);
  // "2026-11-30T05:53", where the reader is.
  const local = date => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const longDay = date => intl(date, { dateStyle: "long" });
  const fullDay = date => intl(date, { weekday: "long" }) + ", " + longDay(date);
  // How each kind of time is written that is neither of today nor of yesterday.
  const FAR = {
    day: fullDay,
    moment: (date, clock) => longDay(date) + ", " + clock,
    time: date => intl(date, { day: "numeric", month: "short", year: date.getFullYear() == new Date().getFullYear() ? undefined : "numeric" }),
  };
  let nearDays;
  const write = (time, kind, at) => {
    const [day, clock] = at.split("T"), name = kind != "moment" && nearDays[day];
    const isClock = kind == "clock" || kind == "time" && name == today;
    // What the server wrote is right where its clock says the same.
    const isSame = time.dateTime && !time.isOurs && at.startsWith(time.dateTime.slice(0, 16));
    const text = isClock ? clock : name || (isSame ? time.textContent : FAR[kind](new Date(at), clock));
    time.isOurs ||= name;
    if (time.textContent == text) return;
    time.textContent = text;
    time.isOurs = true;
  };
  const localise = root => root.querySelectorAll("time[class]").forEach(time => {
    const date = new Date(time.dateTime), [kind] = time.className.match(/clock|moment|time/) || [];
    if (kind && !isNaN(date)) write(time, kind, local(date));
  });

  // A day begins with the reader's first message of it: the lines between days move where theirs is another than the
  // site's. The first message of the page always has one, in itself or above the log.
  const divideDays = () => {
    let before;
    findAll("#log > .message").forEach(item => {
      const at = item.at ||= local(new Date(item.querySelector(".clock").dateTime));
      const isNew = !before || at.slice(0, 10) != before.slice(0, 10);
      let line = item.querySelector(".message__day");
      if (isNew && before && !line) {
        item.insertAdjacentHTML("afterbegin", '<p class="message__day"><time></time></p>');
        line = item.firstChild;
        // Below a day the messages of an author begin again: with a name.
        item.classList.remove("message--continues");
      }
      const time = line ? line.firstChild : before ? null : find(".more__day");
      if (!isNew && line) line.remove();
      else if (time) {
        write(time, "day", at);
        time.dateTime = at.slice(0, 10);
      }
      before = at;
    });
  };

  const writeAll = () => {
    const now = new Date(), then = new Date(now);
    then.setDate(then.getDate() - 1);
    nearDays = { [local(then).slice(0, 10)]: yesterday, [local(now).slice(0, 10)]: today };
    localise(document);
    divideDays();
  };
  writeAll();
  // At midnight, and after a night asleep, today is yesterday.
  on("visibilitychange", writeAll);
  const midnight = () => setTimeout(() => { writeAll(); midnight(); }, new Date().setHours(24, 0, 1) - Date.now());
  midnight();
  // What htmx has put in: once for all of it.
  let isQueued;
  on("htmx:after:process", ({ target }) => {
    localise(target);
    if (isQueued || target.id != "main" && !target.closest("#log, #earlier")) return;
    isQueued = true;
    queueMicrotask(() => { isQueued = false; divideDays(); });
  });
}
