// A tab that nobody sees has no stream. Once a minute one of a browser's tabs asks how much is unread, for the titles of
// all of them. Needs #unread-count, and the script element's data-session (whose tabs they are).
if (find("#unread-count")) {
  const MINUTE_MS = 60000;
  let timer;
  const write = count => document.title = (count != 0 ? `(${count}) ` : "") + document.title.replace(/^\([\d @]+\) /, "");
  // When one of the tabs asked last, and what it was answered: of another session it says nothing.
  const load = text => {
    const [session, askedAt = 0, count] = JSON.parse(text || "[]");
    return session == texts.session ? { askedAt, count } : { askedAt: 0 };
  };
  const store = count => localStorage.unread = JSON.stringify([texts.session, Date.now(), count]);
  const count = async () => {
    // Where a browser stores nothing for a site its tabs could not agree: none asks.
    try {
      const { askedAt, count } = load(localStorage.unread);
      // A little less than a minute, or a tab that asked just now would be late the next time.
      if (Date.now() - askedAt < MINUTE_MS * .9) return count != null && write(count);
      store(count);
      const { ok, html } = await ask("/sidebar/unread?calls");
      if (!ok || !document.hidden) return;
      store(html.trim());
      write(html.trim());
    } catch {}
  };
  // Browsers wake hidden tabs together: in turn, the second finds what the first was answered. Without TLS there are no
  // locks, and two may ask.
  const countInTurn = () => navigator.locks ? navigator.locks.request("unread", count) : count();
  const change = () => {
    clearInterval(timer);
    if (document.hidden) timer = setInterval(countInTurn, MINUTE_MS);
    // The list counts again; what it lacks the stream brings.
    else find("#unread-count").dispatchEvent(new Event("htmx:after:process", { bubbles: true }));
  };
  on("visibilitychange", change);
  if (document.hidden) change();
  on("storage", ({ key, newValue }) => {
    if (key == "unread" && document.hidden) write(load(newValue).count || 0);
  }, window);
}
