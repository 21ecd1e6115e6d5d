// Who somebody is, in place: a press on a face or a name opens their card over the page, and what is decided there
// leaves the page where it is. Without script, or with a modifier, the same link leads to their page.
{
  let sheet;
  // The styles of a card come with the first one.
  const styledBy = link => sheet ||= new Promise(resolve => {
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
  const cardIn = async html => {
    const page = parse(html), person = page.querySelector("#person"), link = page.querySelector("link");
    if (link) await styledBy(link);
    // In a dialog it is no heading of a page.
    return person && person.outerHTML.replace(/(<\/?)h1/g, "$1h2");
  };
  let isOpening;
  const open = async link => {
    const href = link.getAttribute("href");
    isOpening = true;
    const { ok, html } = await ask(href), card = ok && await cardIn(html);
    isOpening = false;
    if (find("dialog[open]")) return;
    // What else there is to say about it stands on the page.
    if (!card) return location.assign(href);
    await styled;
    // An author is no stop for the keyboard, their message is.
    const { dialog, fill } = openSheet(card, link.closest("#log > .message")?.querySelector("summary") || link);
    dialog.onsubmit = async event => {
      event.preventDefault();
      await ask(event.target.getAttribute("action"), new URLSearchParams(new FormData(event.target)));
      // What the two are to each other now; the answer itself is of another page.
      const now = await ask(href), changed = now.ok && await cardIn(now.html);
      if (!changed) return location.assign(href);
      fill(changed);
      dialog.querySelector("#person a, #person button").focus();
    };
  };
  on("click", event => {
    const link = event.target.closest("a[href^='/people/']");
    if (!link || event.defaultPrevented || event.button || hasModifier(event)) return;
    if (link.closest("dialog") || find("#person")) return;
    event.preventDefault();
    if (!isOpening) open(link);
  });
}
