// Drafts in the list of rooms, and their end: they go with whatever would show them to somebody else, which is the end of
// the session, and of a chat with a stranger. Where there are any, this comes with the page (see drafts.js).
// Needs the script element's data-draft (the word for one in the sidebar).
{
  const remove = (start, except) => change("drafts", drafts =>
    Object.keys(drafts).forEach(key => key.startsWith(start) && key.split("?")[0] != except && delete drafts[key]));
  // Where a chat with a stranger has ended, or another has begun, or is looked for.
  const removeStrangers = () => {
    const room = roomOf(find("#composer"));
    const isOver = find(".chat-presence__over, #stream[data-reason=went_on], #wait, [action='/strangers/find']");
    if (isOver || room?.startsWith("/strangers")) remove("/strangers", isOver || room);
    if (isOver) texts.ended = 1;
  };
  const removeAll = text => {
    remove("");
    texts.ended = 1;
    if (text) text.value = "";
  };
  const markEntries = () => change("drafts", drafts => findAll("#entries .entry").forEach(entry => {
    const room = entry.getAttribute("href"), text = roomOf(find("#composer")) != room && drafts[room];
    entry.classList.toggle("entry--draft", !!text);
    entry.querySelector(".entry__draft")?.remove();
    if (!text) return;
    const line = document.createElement("span"), label = document.createElement("b");
    line.className = "entry__line entry__draft";
    line.dir = "auto";
    label.textContent = texts.draft;
    line.append(label, " " + text);
    entry.append(line);
  }));
  // What came by the stream: entries, why the stream has ended.
  const update = event => {
    // What was typed after the end and before this script had come is not of before.
    if (find("#stream[data-reason=signed_out]")) removeAll(event && composerText());
    removeStrangers();
    markEntries();
  };
  update();
  // Another room is opened in place of it.
  on("leave", () => delete texts.ended);
  on("htmx:after:process", update);
  on("pageshow", update, window);
  // Words for another room than this, which were refused (see outbox.js).
  on("unsent", ({ detail: [room, text] }) => {
    change("drafts", drafts => drafts[room] = [text, drafts[room]].join("\n").trim());
    markEntries();
  });
  on("submit", ({ target }) => {
    const action = target.getAttribute("action");
    if (action == "/logout") removeAll(composerText());
    if (/^\/strangers\/(leave|block)$/.test(action)) remove("/strangers");
  });
  // Who goes on writing where the session has ended is told when they send: only what was stored goes.
  on("refused htmx:response:error htmx:sse:error", ({ detail: { status, ctx } }) => {
    if ((status || ctx?.response?.status) == 401) removeAll();
  });
}
