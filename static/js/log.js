// The log of a room: what of it was read.
// Needs #log in a .scroller, and on #stream data-read (where to report) and data-pause (how often).
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
    if (!location.hash) find("#log #new")?.scrollIntoView();
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

  // A message has come, or several. A log that has grown for hours is cut by acts/trim.js.
  onStream("htmx:sse:after:message", () => {
    requestAnimationFrame(() => report());
    if (find("#log")?.children.length > 400) tell("long");
  });
}
