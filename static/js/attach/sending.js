// The way of a file to the server: one after the other, in pieces that are smaller than what proxies let through, each with
// its place in the file. What is broken off goes on from where the server says it is: after a line that was cut, and a
// restart of the server. While the browser is offline it waits.
const PIECE = 512 * 1024, ANSWER_MS = 60000, MAX_WAIT_MS = 120000, PAUSES_MS = [500, 1000, 2000, 5000, 10000, 30000];
let isBusy;

const call = async (file, method, address, body, headers) => {
  const abort = file.abort = new AbortController(), timer = setTimeout(() => abort.abort(), ANSWER_MS);
  try {
    const answer = await fetch(address, { method, body, headers: { "HX-Request": "true", ...headers }, signal: abort.signal });
    return { answer, html: method == "HEAD" ? "" : await answer.text() };
  } catch {
    return {};
  } finally {
    clearTimeout(timer);
  }
};
let goOn;
const pause = ms => new Promise(resolve => {
  goOn = resolve;
  setTimeout(resolve, ms);
});
on("online", () => goOn?.(), window);

// The next request of a file. Returns how the server wants it to go on: "again" later, or at once.
const step = async file => {
  const { address, blob, name, size, sent } = file;
  let answered;
  if (!address) answered = await call(file, "POST", file.room + "/files", new URLSearchParams({ name, size }));
  else if (file.isUnsure) answered = await call(file, "HEAD", address);
  else {
    let piece;
    try {
      piece = await blob.slice(sent, sent + PIECE).arrayBuffer();
    } catch {
      // A folder, or a file that has changed since it was chosen.
      file.problem = words.unreadable;
      return;
    }
    answered = await call(file, "PATCH", address, piece, {
      "Content-Type": "application/offset+octet-stream", "Upload-Offset": sent,
    });
  }
  const { answer, html = "" } = answered, code = answer?.status || 0, header = name => answer.headers.get(name);
  if (answer?.ok || code == 409) {
    if (!address) file.address = header("Location").replace(location.origin, "");
    else file.sent = +header("Upload-Offset");
    // Of a picture the size is another then: it was drawn anew.
    file.isWhole = address && header("Upload-Offset") == header("Upload-Length");
    file.isUnsure = false;
    return code == 409 && "again";
  }
  // It is not there any more: once from its beginning.
  if (code == 404 && address && !file.isSecond) {
    Object.assign(file, { isSecond: true, address: "", sent: 0, isUnsure: false });
    return;
  }
  const reason = parse(html).querySelector(".problem")?.textContent;
  file.waitMs = answer ? 1000 * header("Retry-After") : 0;
  // Nobody waits for tomorrow.
  if (code && code < 500 && code != 408 && (code != 429 || file.waitMs > MAX_WAIT_MS)) {
    file.problem = reason || texts.failed;
    return;
  }
  file.isUnsure = !!address;
  file.note = reason || words.offline;
  return "again";
};
const sendFile = async file => {
  let tries = 0;
  file.isSending = true;
  while (!file.isGone && !file.problem && !file.isWhole) {
    file.note = file.waitMs = 0;
    const isAgain = await step(file) == "again";
    updateChip(file);
    keepFiles(file.room);
    if (!isAgain) tries = 0;
    else if (!file.isGone) await pause(Math.max(file.waitMs, PAUSES_MS[Math.min(tries++, PAUSES_MS.length - 1)]));
  }
  file.isSending = false;
  if (file.isGone) return deleteFile(file);
  if (file.problem) {
    say(`${file.name}: ${file.problem}`);
    if (file.nonce) takeBack(file.nonce);
  } else {
    file.code = file.address.split("/").pop();
    file.blob = null;
  }
  updateChip(file);
  keepFiles(file.room);
};
const sendFiles = async () => {
  if (isBusy) return;
  isBusy = true;
  let file, hasSent;
  while (file = attached.find(({ code, problem }) => !code && !problem)) {
    await sendFile(file);
    hasSent ||= !!file.code;
    finishMessages();
  }
  isBusy = false;
  if (hasSent && !attached.some(({ problem }) => problem)) say(words.here);
};

// A message with files stands below the log at once, in a list of its own, and goes when they are there (see outbox.js):
// what is written meanwhile goes before it. Until then it can be taken back.
const waiting = {};
const filesOf = nonce => attached.filter(file => file.nonce == nonce);
const drawWaiting = () => {
  const pending = find("#pending"), path = find("#composer")?.getAttribute("action");
  if (!pending) return;
  let list = find("#held");
  if (!list) {
    list = Object.assign(document.createElement("ol"), { id: "held", className: "pending" });
    list.dataset.author = pending.dataset.author;
    pending.after(list);
  }
  list.replaceChildren(...Object.values(waiting).filter(post => post.path == path).map(post => post.item));
};
const makeWaiting = post => {
  const item = panel.querySelectorAll("template")[1].content.firstElementChild.cloneNode(true);
  const body = item.querySelector(".pending__body");
  item.dataset.author = post.author;
  body.textContent = post.body;
  body.hidden = !post.body.trim();
  item.querySelector("button").onclick = () => takeBack(post.nonce);
  return item;
};
const updateWaiting = nonce => {
  const line = waiting[nonce]?.item.querySelector("span");
  if (line) line.textContent = filesOf(nonce).map(({ name, sent, size, code, note }) =>
    name + (code ? "" : ` (${note || Math.floor(sent / size * 100) + " %"})`)).join(", ");
};
const finishMessages = () => {
  Object.values(waiting).forEach(post => {
    const files = filesOf(post.nonce);
    if (files.some(({ code }) => !code)) return;
    delete waiting[post.nonce];
    files.forEach(file => {
      attached.splice(attached.indexOf(file), 1);
      if (file.preview) URL.revokeObjectURL(file.preview);
    });
    const { item, room, ...sent } = post;
    // As it stands below the log until it is answered.
    const shown = [sent.body, ...files.map(({ name }) => name)].join("\n").trim();
    const more = files.flatMap(({ code, description = "" }) => [["file", code], ["describe-" + code, description]]);
    tell("post", { ...sent, shown, at: Date.now(), files: files.map(briefOf), more });
    keepFiles(room);
    drawWaiting();
  });
  // A form that no script sends: of the first message of a chat, of a page that is not the newest.
  const form = find("#composer");
  if (form?.isWaiting && filesIn(roomHere()).every(({ code }) => code)) {
    form.isWaiting = false;
    form.requestSubmit();
  }
};
// Into the field, before what was typed meanwhile; those of another room are its draft.
const giveBack = ({ room, body, answered }) => {
  const field = find("#text");
  if (room != roomHere() || !field) tell("unsent", [room, body]);
  else if (body) {
    field.value = field.value ? body + "\n" + field.value : body;
    tell("sent");
  }
  tell("unanswered", [room, answered]);
};
const takeBack = nonce => {
  const post = waiting[nonce];
  delete waiting[nonce];
  filesOf(nonce).forEach(file => file.nonce = "");
  giveBack(post);
  keepFiles(post.room);
  drawWaiting();
  draw();
  find("#text")?.focus();
};

// Before all others (see composer.js).
window.addEventListener("submit", event => {
  const form = event.target, files = filesIn(roomHere());
  if (form.id != "composer" || event.submitter?.name == "attach" || !files.length) return;
  const stop = () => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  if (files.some(({ problem }) => problem)) {
    stop();
    return announce(words.remove);
  }
  const isReady = files.every(({ code }) => code), list = find("#pending"), answered = find("#answered");
  if (!form.dataset.unsent || !list) {
    if (isReady) return change("drafts", drafts => delete drafts[roomHere() + "?files"]);
    stop();
    form.isWaiting = true;
    return announce(words.sending);
  }
  stop();
  const { body: field } = form.elements, body = field.value, nonce = crypto.getRandomValues(new Uint32Array(3)).join("");
  field.value = "";
  tell("sent");
  files.forEach(file => {
    file.nonce = nonce;
    file.item.remove();
  });
  const post = waiting[nonce] = {
    room: roomHere(), path: form.getAttribute("action"), body, author: list.dataset.author, answered: answered.outerHTML, nonce,
  };
  answered.replaceChildren();
  change("drafts", drafts => delete drafts[post.room + "?reply"]);
  draw();
  post.item = makeWaiting(post);
  updateWaiting(nonce);
  keepFiles(post.room);
  finishMessages();
  if (!waiting[nonce]) return;
  drawWaiting();
  find(".scroller").scrollTop = 0;
  say(words.sending);
}, true);
// Files alone are sent by Enter too.
on("keydown", event => {
  const { target, key, repeat } = event;
  if (target.id != "text" || key != "Enter" || event.shiftKey || event.altKey || event.isComposing || repeat) return;
  if (target.value.trim() || !filesIn(roomHere()).length || !matchMedia("(pointer: fine)").matches) return;
  event.preventDefault();
  target.form.requestSubmit();
});
