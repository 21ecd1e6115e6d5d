// The log of a room: what of it was read, and that it does not grow for hours.
// Needs #log in a .scroller, #earlier above it, and on #stream data-read (where to report) and data-pause (how often).
{
  // Read is what was on the screen: the newest message, while the page is visible and scrolled to its end. Reported at
  // once, then again after a pause, and when the page is left.
  let reported = 0, pause = 0;
  const report = isLeaving => {
    const stream = find("#stream"), log = find("#log"), last = log && log.lastElementChild;
    if (!stream || !stream.dataset.read || !last || (isLeaving ? !pause : pause || document.hidden)) return;
    const number = +last.id.split("-")[2];
    if (!(number > reported) || isScrolledUp(log.closest(".scroller"))) return;
    reported = number;
    clearTimeout(pause);
    pause = setTimeout(() => { pause = 0; report(); }, stream.dataset.pause);
    const body = new URLSearchParams({ number });
    fetch(stream.dataset.read, { method: "POST", body, keepalive: true }).catch(() => reported = 0);
  };
  on("visibilitychange", () => report(document.hidden));
  // Another room is opened in place: what was read of this one is told, and nothing of it counts there.
  on("leave", () => {
    report(true);
    clearTimeout(pause);
    reported = pause = 0;
  });
  // What came since the last visit is where one goes on reading, if it is more than a screen.
  const begin = () => requestAnimationFrame(() => {
    if (!location.hash) find("#new")?.scrollIntoView();
    report();
  });
  onOpen(begin);
  // Marked as unread (see acts/message.js): from then on this page has read nothing.
  on("unread", () => reported = Infinity);
  on("pagehide", () => report(true), window);
  // A scroller's own scrolling does not bubble.
  document.addEventListener("scroll", () => report(), true);
  // Where the log is scrolled to costs nothing once the page is laid out; before, it would be laid out for that alone.
  begin();

  // Beyond 400 messages all but the newest 300 go, or fewer, so that the first that stays says whose it is; unless
  // somebody reads further up. The link above then leads to those that went.
  const MAX_MESSAGES = 400, TRIMMED_MESSAGES = 300;
  const hasMore = (log, count) => log.children.length > count;
  const trim = () => {
    const log = find("#log"), earlier = find("#earlier"), { read } = find("#stream").dataset;
    if (!read || !log || !earlier || !hasMore(log, MAX_MESSAGES) || isScrolledUp(log.closest(".scroller"))) return;
    let first, day = earlier.querySelector("time");
    const isTooMany = () => first.matches(".message--continues") && hasMore(log, TRIMMED_MESSAGES - 50)
      || hasMore(log, TRIMMED_MESSAGES);
    while ((first = log.firstElementChild) && isTooMany()) {
      day = first.querySelector(".message__day time") || day;
      first.remove();
    }
    const link = document.createElement("a");
    const before = read.slice(0, -"/read".length) + "?before=" + first.id.split("-")[2];
    Object.entries({ href: before, "hx-get": before, "hx-target": "#log", "hx-swap": "afterbegin", "hx-sync": "drop" })
      .forEach(pair => link.setAttribute(...pair));
    link.textContent = earlier.dataset.link;
    earlier.replaceChildren(link);
    if (day && !first.querySelector(".message__day")) {
      day.className = "more__day";
      earlier.append(document.createElement("br"), day);
    }
    htmx.process(earlier);
  };
  // A message has come, or several.
  onStream("htmx:sse:after:message", () => {
    report();
    trim();
  });
}
