// What the parts in this folder share: asking the server, and saying what has come of a press.
// Needs the script element's data-styles (the sheet of what is only pressed into being), data-failed and data-copied.

// The styles come with this script. Nothing of it is shown before them; nor kept back where they do not come.
const styled = new Promise(resolve => {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = texts.styles;
  link.onload = link.onerror = resolve;
  document.head.append(link);
});

// What else comes with a part of another page: each sheet is loaded once.
const sheets = {};
const styledBy = link => sheets[link.href] ||= find(`head > [href="${link.getAttribute("href")}"]`) || new Promise(resolve => {
  link.onload = link.onerror = resolve;
  document.head.append(link);
});

// A live region must stand in the page before it is written to, or it is not read out.
const status = document.createElement("p");
status.className = "toast";
status.setAttribute("role", "status");
document.body.append(status);
let statusTimer;
const announce = text => {
  status.textContent = text;
  clearTimeout(statusTimer);
  statusTimer = setTimeout(() => status.textContent = "", 6000);
  // In a dialog the rest of the page can't be seen.
  (find("dialog[open]") || document.body).append(status);
};

// The answer to script, as { ok, status, html }: the status is 0 where none came in time.
const ANSWER_MS = 15000;
const ask = async (href, body) => {
  const abort = new AbortController(), timer = setTimeout(() => abort.abort(), ANSWER_MS);
  try {
    const answer = await fetch(href, {
      method: body ? "POST" : "GET", body, headers: { "HX-Request": "true" }, signal: abort.signal,
    });
    const isHtml = /^text\/html/.test(answer.headers.get("Content-Type"));
    return { ok: answer.ok, status: answer.status, html: isHtml ? await answer.text() : "" };
  } catch {
    return { status: 0, html: "" };
  } finally {
    clearTimeout(timer);
  }
};
// Of a message in the log; 0 before it has a number.
const numberOf = item => +item.id.split("-")[2] || 0;
const roomPath = () => location.pathname.replace(/\/messages.*/, "");
const messagePath = item => `${roomPath()}/messages/${numberOf(item)}`;
const parse = html => new DOMParser().parseFromString(html, "text/html").body;
// The words of a problem, as the server says it, or ours where it says nothing.
const problemIn = html => parse(html).querySelector(".problem")?.textContent || texts.failed;

// Whether a single key may mean something here: nothing has the focus, or the log, or a message in it.
const isFree = target => target == document.body || target.matches?.(".scroller, #log summary, #log .message__author");

// A part of another page, as a dialog over this one; it ends where it was asked for. Returns what fills it anew.
const openSheet = (html, opener) => {
  const dialog = document.createElement("dialog"), closing = document.createElement("button");
  dialog.className = "sheet";
  closing.className = "sheet__close round";
  closing.title = closing.ariaLabel = texts.close;
  closing.textContent = "\u00d7";
  closing.onclick = () => dialog.close();
  const fill = html => {
    dialog.replaceChildren(...parse(html).children, closing);
    const heading = dialog.querySelector("h2");
    heading.id = "sheet-heading";
    dialog.setAttribute("aria-labelledby", heading.id);
  };
  fill(html);
  dialog.onclose = () => {
    document.body.append(status);
    dialog.remove();
  };
  // Beside it: on what is behind.
  dialog.onmousedown = event => event.target == dialog && !dialog.querySelector("textarea") && dialog.close();
  document.body.append(dialog);
  // What has the focus now gets it back with closing, at once: the event comes later, when Tab may have been pressed.
  opener.focus({ preventScroll: true });
  dialog.showModal();
  return { dialog, fill };
};
