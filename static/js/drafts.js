// What is being written stays in its tab, by room, while another page is open. It goes when it is sent, and with
// whatever would show it to somebody else: the end of the session, the end of a chat with a stranger.
// Needs the script element's data-session (whose drafts they are) and data-draft (the word for one in the sidebar).
{
  const { session, draft } = document.currentScript.dataset;
  const roomOf = form => /(.+)\/messages$/.exec(form?.getAttribute("action"))?.[1];
  // Where a browser stores nothing for a site, the field is as the browser has it.
  let drafts = {}, isEnded;
  const store = () => isEnded || (sessionStorage.drafts = JSON.stringify(drafts));
  const load = isRestored => {
    try {
      drafts = JSON.parse(sessionStorage.drafts || "{}");
      if (drafts.session == session) return;
      // A page that the browser had put aside, and restores for who has signed out since, or for somebody else.
      if (isEnded = isRestored) return location.reload();
      drafts = { session };
      store();
    } catch { isEnded = true; }
  };
  const composerText = () => find("#composer textarea");
  const withText = act => () => {
    const text = composerText();
    if (text && !isEnded) act(text, roomOf(text.form));
  };
  const save = withText((text, room) => {
    // A room that was opened in place has its draft in a moment: what stands in the field until then is none.
    if (!text.isFilled) return;
    if (text.value.trim()) drafts[room] = text.value;
    else delete drafts[room];
    store();
  });
  // What was typed before this script came stays. Else a draft, or none, is newer than what the browser fills in when
  // it goes back. That of a chat which the other has begun meanwhile has the address of before.
  const fill = withText((text, room) => {
    const { chat } = text.form.dataset, typed = document.activeElement == text && text.value;
    const value = typed || drafts[room] || drafts[chat] || text.defaultValue;
    if (text.value != value) text.value = value;
    text.isFilled = true;
    delete drafts[chat];
    save();
  });
  // A form that no script sends leaves the page with the text: it is a draft again unless the next page says that it arrived,
  // or brings it itself.
  const restoreSent = () => {
    const { sent } = drafts, text = composerText();
    delete drafts.sent;
    if (sent && location.hash != "#composer" && !text?.defaultValue) drafts[sent[0]] = sent[1];
  };
  const remove = (start, except) => {
    Object.keys(drafts).forEach(key => key.startsWith(start) && key != except && delete drafts[key]);
    store();
  };
  // Where a chat with a stranger has ended, or another has begun, or is looked for.
  const removeStrangers = () => {
    const room = roomOf(find("#composer"));
    const isOver = find(".chat-presence__over, #stream[data-reason=went_on], #wait, [action='/strangers/find']");
    if (isOver || room?.startsWith("/strangers")) remove("/strangers", isOver || room);
    if (isOver) isEnded = true;
  };
  const removeAll = text => {
    remove("");
    isEnded = true;
    if (text) text.value = "";
  };
  const markEntries = () => findAll("#entries .entry").forEach(entry => {
    const room = entry.getAttribute("href"), text = roomOf(find("#composer")) != room && drafts[room];
    entry.classList.toggle("entry--draft", !!text);
    entry.querySelector(".entry__draft")?.remove();
    if (!text) return;
    const line = document.createElement("span"), label = document.createElement("b");
    line.className = "entry__line entry__draft";
    line.dir = "auto";
    label.textContent = draft;
    line.append(label, " " + text);
    entry.append(line);
  });
  const start = isRestored => {
    load(isRestored);
    restoreSent();
    removeStrangers();
    fill();
    markEntries();
  };
  start();
  // After the browser has filled in the form.
  on("pageshow", event => start(event.persisted), window);
  // The field is emptied when it is sent, and what was refused is returned (see acts/outbox.js).
  on("input sent", save);
  // Words for another room than this, which were refused.
  on("unsent", ({ detail: [room, text] }) => {
    drafts[room] = [text, drafts[room]].join("\n").trim();
    store();
    markEntries();
  });
  on("submit", ({ target, defaultPrevented }) => {
    const action = target.getAttribute("action"), room = roomOf(target);
    if (action == "/logout") removeAll(composerText());
    if (/^\/strangers\/(leave|block)$/.test(action)) remove("/strangers");
    if (!room || defaultPrevented) return;
    drafts.sent = [room, target.elements.body.value];
    delete drafts[room];
    store();
  });
  // What came by the stream: entries, the composer of a room that was unlocked, why the stream has ended.
  on("htmx:after:process", ({ target }) => {
    if (find("#stream[data-reason=signed_out]")) removeAll(composerText());
    removeStrangers();
    if (target.id == "composer") fill();
    markEntries();
  });
  onOpen(start);
  // Who goes on writing where the session has ended is told when they send: only what was stored goes.
  on("refused htmx:response:error htmx:sse:error", ({ detail: { status, ctx } }) => {
    if ((status || ctx?.response?.status) == 401) removeAll();
  });
}
