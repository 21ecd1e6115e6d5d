// Everyone gets the same bytes with the site's time in them; the reader's own time is only known here.
(() => {
  const { today, yesterday } = document.currentScript.dataset, { lang } = document.documentElement;
  // English is written as in most of the world, and as the server does. Intl takes longer to begin than all the rest
  // of our script: it is asked only for what the server has not written already.
  const intl = (date, style) => new Intl.DateTimeFormat(lang == "en" ? "en-GB" : lang, style).format(date);
  // "2026-11-30T05:53", where the reader is.
  const local = date => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  const long = date => intl(date, { dateStyle: "long" });
  const full = date => intl(date, { weekday: "long" }) + ", " + long(date);
  const year = date => date.getFullYear();
  // How each kind of time is written that is neither of today nor of yesterday.
  const FAR = {
    day: full,
    moment: (date, clock) => long(date) + ", " + clock,
    time: date => intl(date, { day: "numeric", month: "short", year: year(date) == year(new Date()) ? undefined : "numeric" }),
  };
  let near;
  const write = (time, kind, at) => {
    const [day, clock] = at.split("T"), name = kind != "moment" && near[day];
    const isClock = kind == "clock" || kind == "time" && name == today;
    // What the server wrote is right where its clock says the same.
    const isSame = time.dateTime && !time.isOurs && at.startsWith(time.dateTime.slice(0, 16));
    const text = isClock ? clock : name || (isSame ? time.textContent : FAR[kind](new Date(at), clock));
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
  const cut = () => {
    let before, face;
    document.querySelectorAll("#log > .message").forEach(item => {
      const at = item.at ||= local(new Date(item.querySelector(".clock").dateTime));
      const isNew = !before || at.slice(0, 10) != before.slice(0, 10);
      let line = item.querySelector(".message__day");
      face = item.querySelector(".avatar") || face;
      if (isNew && before && !line) {
        item.insertAdjacentHTML("afterbegin", '<p class="message__day"><time></time></p>');
        line = item.firstChild;
        // Below a day somebody's messages begin anew: with a face and a name.
        if (item.classList.contains("message--continues") && face) line.after(face.cloneNode(true));
        item.classList.remove("message--continues");
      }
      const time = line ? line.firstChild : before ? null : document.querySelector(".more__day");
      if (!isNew && line) line.remove();
      else if (time) {
        write(time, "day", at);
        time.dateTime = at.slice(0, 10);
      }
      before = at;
    });
  };

  const all = () => {
    const now = new Date(), then = new Date(now);
    then.setDate(then.getDate() - 1);
    near = { [local(then).slice(0, 10)]: yesterday, [local(now).slice(0, 10)]: today };
    localise(document);
    cut();
  };
  all();
  // At midnight, and after a night asleep, today is yesterday.
  document.addEventListener("visibilitychange", all);
  const midnight = () => setTimeout(() => { all(); midnight(); }, new Date().setHours(24, 0, 1) - Date.now());
  midnight();
  // What htmx has put in: once for all of it.
  let waits;
  document.addEventListener("htmx:after:process", ({ target }) => {
    localise(target);
    if (waits || !target.closest("#log, #earlier")) return;
    waits = true;
    queueMicrotask(() => { waits = false; cut(); });
  });
  // The whole of it, for whoever points at one.
  document.addEventListener("pointerover", ({ target }) => {
    if (!target.matches("time.clock") || target.title) return;
    const date = new Date(target.dateTime);
    target.title = full(date) + ", " + local(date).slice(11);
  });
})();
