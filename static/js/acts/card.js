// Who somebody is, in place: a press on a face or a name opens their card over the page, and what is decided there
// leaves the page where it is; so does a[data-card], the way to the settings of a room or a chat, which opens what one
// most often wants of them. Without script, or with a modifier, the same link leads to the page.
{
  const cardIn = async html => {
    const page = parse(html), card = page.querySelector("#person, #room-card");
    await Promise.all([...page.querySelectorAll("link")].map(styledBy));
    // In a dialog it is no heading of a page.
    return card && card.outerHTML.replace(/(<\/?)h1/g, "$1h2");
  };
  const post = form => ask(form.getAttribute("action"), new URLSearchParams(new FormData(form)));
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
      await post(event.target);
      // What the two are to each other now; the answer itself is of another page.
      const now = await ask(href), changed = now.ok && await cardIn(now.html);
      if (!changed) return location.assign(href);
      fill(changed);
      dialog.querySelector("#person a, #person button").focus();
    };
    // A level is saved as it is chosen.
    dialog.onchange = async ({ target: { form } }) => {
      const { ok, html } = await post(form);
      announce(ok ? parse(html).textContent.trim() : texts.failed);
      if (!ok) form.reset();
    };
  };
  on("click", event => {
    const link = event.target.closest("a[href^='/people/'], a[data-card]");
    if (!link || event.defaultPrevented || event.button || hasModifier(event)) return;
    if (link.closest("dialog") || find("#person")) return;
    event.preventDefault();
    if (!isOpening) open(link);
  });
}
