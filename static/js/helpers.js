// What every part of our script uses. All parts together are one function in one bundle (see webapp/http/assets.py),
// each in a block of its own; what is declared outside of a block is known to all. Every bundle begins with this: app.js
// comes with every page, acts.js (the folder acts/) with the first press, the other folders with a press of their own.
// Every page works without script: each listener says why it is worth having. They listen on document, so that what
// htmx swaps in later is covered too.
const find = css => document.querySelector(css);
const findAll = css => document.querySelectorAll(css);
const on = (names, act, where = document) => names.split(" ").forEach(name => where.addEventListener(name, act));
const tell = (name, detail, where = document) => where.dispatchEvent(new CustomEvent(name, { detail }));
const onStream = (names, act) => on(names, event => event.target.id == "stream" && act(event));
// Another room was opened in place (see acts/swap.js).
const onOpen = act => on("htmx:after:process", ({ target }) => target.id == "main" && act());
// A press with one of these means something else: a new tab, a download, a line break.
const hasModifier = event => event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
// A log is read at its end where it is scrolled up by less than this many pixels; a reversed column counts from the end.
const isScrolledUp = element => element.scrollTop < -100;
// What the page says to its script (see templates/_script.html).
const { dataset: texts } = find("script[data-acts]");
// What a tab stores, by name: `drafts`, as { session, [address of a room]: text }, and `outbox`, as { session, posts }. Both are
// of who is signed in now, or empty; where a browser stores nothing for a site, `act` is not called.
const change = (name, act) => {
  try {
    let stored = JSON.parse(sessionStorage[name] || "{}");
    const isOther = stored.session != texts.session;
    if (isOther) stored = { session: texts.session };
    act(stored, isOther);
    // Where a session or a chat has ended, what goes on being written is stored no more.
    if (!texts.ended || name == "outbox") sessionStorage[name] = JSON.stringify(stored);
  } catch {}
};
const composerText = () => find("#composer textarea");
const roomOf = form => /(.+)\/messages$/.exec(form?.getAttribute("action"))?.[1];
