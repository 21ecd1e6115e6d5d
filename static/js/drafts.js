// What is being written stays in this tab, by room, for who looks at another page meanwhile. It goes when it is sent,
// and with whatever would show it to somebody else: the session, the end of a chat with a stranger.
(() => {
  const { session, draft } = document.currentScript.dataset;
  const on = (names, act) => names.split(" ").forEach(name => document.addEventListener(name, act));
  const find = css => document.querySelector(css);
  const room = form => /(.+)\/messages$/.exec(form?.getAttribute("action"))?.[1];
  // Where a browser stores nothing for a site, the field is as the browser has it.
  let kept = {}, isOver;
  const write = () => isOver || (sessionStorage.drafts = JSON.stringify(kept));
  const read = isBack => {
    try {
      kept = JSON.parse(sessionStorage.drafts || "{}");
      if (kept.session == session) return;
      // A page that the browser had put aside, and shows again to who has signed out since, or to somebody else.
      if (isOver = isBack) return location.reload();
      kept = { session };
      write();
    } catch { isOver = true; }
  };
  const field = act => () => {
    const text = find("#composer textarea");
    if (text && !isOver) act(text, room(text.form));
  };
  const save = field((text, path) => {
    if (text.value.trim()) kept[path] = text.value;
    else delete kept[path];
    write();
  });
  // What was typed before this script came stays. Else a draft, or nothing, is newer than what the browser fills in for
  // who comes back. That of a chat which the other has begun meanwhile has the address of before.
  const fill = field((text, path) => {
    const { chat } = text.form.dataset, typed = document.activeElement == text && text.value;
    const words = typed || kept[path] || kept[chat] || text.defaultValue;
    if (text.value != words) text.value = words;
    delete kept[chat];
    save();
  });
  // A form without htmx leaves the page with the words: they come back unless the next page says that they arrived, or
  // brings them itself.
  const settle = () => {
    const { sent } = kept, text = find("#composer textarea");
    delete kept.sent;
    if (sent && location.hash != "#composer" && !text?.defaultValue) kept[sent[0]] = sent[1];
  };
  const forget = (start, but) => {
    Object.keys(kept).forEach(key => key.startsWith(start) && key != but && delete kept[key]);
    write();
  };
  // Where a chat with a stranger has ended, or another has begun, or is looked for.
  const part = () => {
    const here = room(find("#composer"));
    const isEnd = find(".chat-presence__over, #stream[data-reason=went_on], #wait, [action='/strangers/find']");
    if (isEnd || here?.startsWith("/strangers")) forget("/strangers", isEnd || here);
    if (isEnd) isOver = true;
  };
  const leave = text => {
    forget("");
    isOver = true;
    if (text) text.value = "";
  };
  const mark = () => document.querySelectorAll("#entries .entry").forEach(entry => {
    const path = entry.getAttribute("href"), words = room(find("#composer")) != path && kept[path];
    entry.classList.toggle("entry--draft", !!words);
    entry.querySelector(".entry__draft")?.remove();
    if (!words) return;
    const line = document.createElement("span"), name = document.createElement("b");
    line.className = "entry__line entry__draft";
    line.dir = "auto";
    name.textContent = draft;
    line.append(name, " " + words);
    entry.append(line);
  });
  const begin = isBack => {
    read(isBack);
    settle();
    part();
    fill();
    mark();
  };
  begin();
  // After the browser has filled in the form.
  addEventListener("pageshow", event => begin(event.persisted));
  // The field is emptied when it is sent, and what did not get through comes back (see chat.js).
  on("input htmx:config:request htmx:finally:request", save);
  on("submit", ({ target }) => {
    const action = target.getAttribute("action"), path = room(target);
    if (action == "/logout") leave(find("#composer textarea"));
    if (/^\/strangers\/(leave|block)$/.test(action)) forget("/strangers");
    if (!path || target.hasAttribute("hx-post")) return;
    kept.sent = [path, target.elements.body.value];
    delete kept[path];
    write();
  });
  // What came by the stream: entries, the composer of a room that was unlocked, why the stream has ended.
  on("htmx:after:process", ({ target }) => {
    if (find("#stream[data-reason=signed_out]")) leave(find("#composer textarea"));
    part();
    if (target.id == "composer") fill();
    mark();
  });
  // Who goes on writing where the session has ended is told when they send: only what was stored goes.
  on("htmx:response:error htmx:sse:error", ({ detail: { status, ctx } }) => {
    if ((status || ctx?.response?.status) == 401) leave();
  });
})();
