// A tab that nobody sees has no stream. Once a minute one of a browser's tabs asks how much is unread, for the titles of
// all of them. Needs #unread-count, and the script element's data-session (whose tabs they are).
if (find("#unread-count")) {
  const MINUTE_MS = 60000;
  // A little less, or a tab that asked just now would be late the next time.
  const PAUSE_MS = MINUTE_MS * .9;
  let timer;
  const write = count => document.title = (count != 0 ? `(${count}) ` : "") + document.title.replace(/^\([\d @]+\) /, "");
  // When one of the tabs asked last, and what it was answered: of another session it says nothing.
  const load = text => {
    const [session, askedAt = 0, count] = JSON.parse(text || "[]");
    return session == texts.session ? { askedAt, count } : { askedAt: 0 };
  };
  const store = count => localStorage.unread = JSON.stringify([texts.session, Date.now(), count]);
  // Browsers wake hidden tabs together, and what one of them stored another sees some time later: only a transaction is
  // for all of them one after the other (locks would be, but there are none without TLS). Whether it is this tab's turn.
  const claim = () => new Promise(done => {
    const opening = indexedDB.open("unread");
    opening.onupgradeneeded = () => opening.result.createObjectStore("asked");
    opening.onsuccess = () => {
      const { result: database } = opening, asked = database.transaction("asked", "readwrite").objectStore("asked");
      asked.get(0).onsuccess = ({ target }) => {
        const isFree = !(Date.now() - target.result < PAUSE_MS);
        if (isFree) asked.put(Date.now(), 0);
        database.close();
        done(isFree);
      };
    };
  });
  const count = async () => {
    // Where a browser stores nothing for a site its tabs could not agree: none asks.
    try {
      const { askedAt, count } = load(localStorage.unread);
      if (Date.now() - askedAt < PAUSE_MS) return count != null && write(count);
      if (!await claim()) return;
      store(count);
      const { ok, html } = await ask("/sidebar/unread?calls");
      if (!ok || !document.hidden) return;
      store(html.trim());
      write(html.trim());
    } catch {}
  };
  const change = () => {
    clearInterval(timer);
    if (document.hidden) timer = setInterval(count, MINUTE_MS);
    // The list counts again; what it lacks the stream brings.
    else find("#unread-count").dispatchEvent(new Event("htmx:after:process", { bubbles: true }));
  };
  on("visibilitychange", change);
  if (document.hidden) change();
  on("storage", ({ key, newValue }) => {
    if (key == "unread" && document.hidden) write(load(newValue).count || 0);
  }, window);
}
