// Files beside the words of a message: each is a chip in the composer, with its name, how much of it has arrived, what it
// shows, and a way to take it off. They belong to a room, by its address: who opens another finds them when they come
// back, and their sending goes on meanwhile. See acts/attach.js, which tells what there is as "attach".
// Needs #composer with #answered and #text, and the answer of its room's page for files to script (_attach_panel.html).
const { announce, ask, parse } = document.currentScript.kit;
const attached = [];
let panel, words;

const loadPanel = async () => {
  if (panel) return true;
  const { ok, html } = await ask(roomOf(find("#composer")) + "/attach"), page = parse(html);
  const found = page.querySelector(".attach");
  if (!ok || !found) {
    announce(page.querySelector(".problem")?.textContent || texts.failed);
    return false;
  }
  await Promise.all([...page.querySelectorAll("link")].map(link => new Promise(resolve => {
    link.onload = link.onerror = resolve;
    document.head.append(link);
  })));
  panel ||= found;
  words = panel.dataset;
  return true;
};

const roomHere = () => roomOf(find("#composer"));
// Those in the composer: a file with a nonce belongs to a message that was sent, and waits for it.
const filesIn = room => attached.filter(file => file.room == room && !file.nonce);
const sizeOf = bytes => new Intl.NumberFormat(document.documentElement.lang, {
  style: "unit", unit: bytes < 1e6 ? "kilobyte" : "megabyte", maximumFractionDigits: bytes < 1e7 && bytes >= 1e6 ? 1 : 0,
}).format(bytes < 1e6 ? Math.max(1, bytes / 1e3) : bytes / 1e6);

// It stands in the page before it is written to, or it is not read out; and it speaks rarely.
const status = document.createElement("p");
status.className = "visually-hidden";
status.setAttribute("role", "status");
document.body.append(status);
const say = text => status.textContent = text;

// What is stored of a file: enough to send it with a message.
const briefOf = ({ code, name, size, kind, description = "", address }) => ({ code, name, size, kind, description, address });
// The draft of a room has its files too, and the words of messages that wait for theirs. Of a file that has not arrived
// nobody has the rest after the page: it is deleted then.
const keepFiles = room => change("drafts", drafts => {
  const files = attached.filter(file => file.room == room && file.address && !file.problem).map(briefOf);
  const posts = Object.values(waiting).filter(post => post.room == room);
  const held = posts.map(({ body, answered, nonce }) => ({ room, body, answered, nonce }));
  drafts[room + "?files"] = files.length || held.length ? { files, held } : undefined;
});

const updateChip = file => {
  updateWaiting(file.nonce);
  const { item, problem, note, sent, size, code, blob } = file;
  if (!item) return;
  const bar = item.querySelector("progress"), line = item.querySelector(".chip__state");
  bar.hidden = !!problem || !!code;
  bar.value = size ? sent / size : 0;
  line.textContent = problem || note || (code ? sizeOf(size) : blob && file.isSending ? `${Math.floor(bar.value * 100)} %` : words.waits);
  item.classList.toggle("chip--wrong", !!problem);
  const field = item.querySelector("[type=hidden]"), described = item.querySelector(".chip__shows");
  field.value = code || "";
  field.disabled = !code || !!problem;
  if (described) described.name = code ? "describe-" + code : "";
};

const draw = () => {
  const box = find("#composer .composer__box"), field = find("#text");
  if (!box || !panel) return;
  const files = filesIn(roomHere());
  let list = find("#composer .chips");
  if (!list && files.length) {
    list = panel.querySelector(".chips").cloneNode(true);
    find("#answered").after(list);
  }
  if (list) {
    const items = files.map(file => file.item ||= makeChip(file));
    [...list.children].forEach(item => items.includes(item) || item.remove());
    items.forEach(item => item.parentNode == list || list.append(item));
    const note = list.nextElementSibling;
    if (note.matches(".chips__note")) note.remove();
    if (files.some(({ kind }) => kind != "picture")) list.after(panel.querySelector(".chips__note").cloneNode(true));
    if (!files.length) list.remove();
  }
  files.forEach(updateChip);
  box.classList.toggle("composer__box--files", files.length > 0);
  // Files alone are a message too.
  field.required = !files.length && !find("#files");
};

// A small picture of it, drawn here: nothing but the server's own may be shown by address.
const drawThumbnail = async ({ blob, item, kind }) => {
  const icon = item.querySelector(".icon"), MAX_BYTES = 2e7, SIDE = 72;
  if (kind != "picture" || !blob || blob.size > MAX_BYTES) return;
  try {
    const bitmap = await createImageBitmap(blob), canvas = document.createElement("canvas");
    const scale = SIDE / Math.min(bitmap.width, bitmap.height);
    canvas.width = canvas.height = SIDE;
    canvas.getContext("2d").drawImage(bitmap, (SIDE - bitmap.width * scale) / 2, (SIDE - bitmap.height * scale) / 2,
      bitmap.width * scale, bitmap.height * scale);
    bitmap.close();
    icon.replaceWith(canvas);
  } catch {}
};

const deleteFile = ({ address }) =>
  address && fetch(address, { method: "DELETE", headers: { "HX-Request": "true" } }).catch(() => {});
const removeFile = file => {
  const place = attached.indexOf(file);
  if (place < 0) return;
  attached.splice(place, 1);
  file.isGone = true;
  // What is on its way ends first; what is being begun has no address to delete yet.
  if (!file.isSending) deleteFile(file);
  else if (file.address) file.abort?.abort();
  goOn?.();
  if (file.preview) URL.revokeObjectURL(file.preview);
  file.item?.remove();
  keepFiles(file.room);
  draw();
};

const makeChip = file => {
  const item = panel.querySelector("template").content.firstElementChild.cloneNode(true);
  const name = item.querySelector(".chip__name"), remover = item.querySelector(".chip__remove");
  const described = item.querySelector(".chip__shows"), heard = item.querySelector("audio");
  file.item = item;
  name.textContent = file.name;
  item.querySelector("progress").ariaLabel = file.name;
  remover.ariaLabel = `${remover.title}: ${file.name}`;
  remover.onclick = () => {
    const next = item.nextElementSibling || item.previousElementSibling;
    removeFile(file);
    (next?.querySelector(".chip__remove") || find("#text")).focus();
  };
  if (file.kind == "picture") {
    described.ariaLabel = `${described.placeholder}: ${file.name}`;
    described.value = file.description || "";
    described.oninput = () => {
      file.description = described.value;
      keepFiles(file.room);
    };
    // Enter is for the words.
    described.onkeydown = event => {
      if (event.key != "Enter" || event.isComposing) return;
      event.preventDefault();
      find("#text").focus();
    };
  } else described.remove();
  if (file.preview) {
    heard.src = file.preview;
    heard.hidden = false;
    // What was recorded says how long it is only when it has been gone through.
    heard.onloadedmetadata = () => {
      if (heard.duration != Infinity) return;
      heard.onseeked = () => {
        heard.onseeked = null;
        heard.currentTime = 0;
      };
      heard.currentTime = 1e9;
    };
  } else heard.remove();
  drawThumbnail(file);
  return item;
};

const addFiles = (blobs, more = {}) => {
  const room = roomHere(), before = filesIn(room).length;
  const taken = [...blobs].slice(0, words.most - before);
  taken.forEach(blob => {
    const kind = /^image\/(png|jpeg|webp|gif)$/.test(blob.type) ? "picture" : "file";
    const problem = blob.size > words.bytes ? words.large : blob.size ? "" : words.empty;
    attached.push({ room, blob, name: blob.name, size: blob.size, kind, sent: 0, problem, ...more });
  });
  if (taken.length < blobs.length) announce(words.many);
  else say(words.added.replace("{}", taken.map(({ name }) => name).join(", ")));
  draw();
  sendFiles();
  find("#text").focus();
};

// Of a draft, or of words that came back.
const bringBack = (room, { files, held = [] }) => {
  held.forEach(post => waiting[post.nonce] || giveBack({ ...post, room }));
  files.forEach(stored => {
    const known = attached.some(({ address }) => address == stored.address);
    if (known) return;
    if (stored.code) attached.push({ ...stored, room, sent: stored.size });
    else deleteFile(stored);
  });
  keepFiles(room);
  draw();
};

on("attach", async ({ detail: { button, files, room, back } }) => {
  if (!await loadPanel()) return;
  if (back) bringBack(room, back);
  else if (files) files.length && addFiles(files);
  else openMenu(button);
});
onOpen(() => {
  // What was being recorded was for the room that is left.
  closeMenu();
  draw();
  drawWaiting();
});
on("htmx:after:process", ({ target }) => target.id == "composer" && draw());
// Leaving the page would break off what is on its way.
on("beforeunload", event => {
  if (attached.some(({ code, problem }) => !code && !problem)) event.preventDefault();
}, window);
