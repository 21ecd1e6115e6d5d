// What the parts in this folder share: asking the server, and saying what has come of a press.
// Needs the script element's data-styles (the sheet of what is only pressed into being), data-failed and data-copied.
const { dataset: texts } = find("script[data-acts]");

// The styles come with this script. Nothing of it is shown before them; nor kept back where they do not come.
const styled = new Promise(resolve => {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = texts.styles;
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
const parse = html => new DOMParser().parseFromString(html, "text/html").body;
// The words of a problem, as the server says it, or ours where it says nothing.
const problemIn = html => parse(html).querySelector(".problem")?.textContent || texts.failed;
