// A message comes with the two acts that are pressed most, and a link to the page of all: the others are the same for each
// message and stand once, on the log. Here they are put in the place of that link, as soon as something points at a message.
// Needs data-acts of #log: lines of an act and its words.
const fillTray = item => {
  const more = item?.querySelector(".tray [href^='?all=']"), { acts } = find("#log")?.dataset || {};
  if (!more || !acts) return;
  const links = acts.split("\n").map(line => {
    const link = document.createElement("a"), [, act, words] = /(\S+) (.+)/.exec(line);
    link.href = `?${act}=${numberOf(item)}`;
    link.textContent = words;
    return link;
  });
  more.replaceWith(...links);
  return links[0];
};
{
  const here = () => findAll("#log > .message:hover, #log > .message:focus-within").forEach(fillTray);
  // After what waits for this bundle, which may be a press on that link.
  setTimeout(here);
  on("htmx:after:process", here);
  on("pointerover focusin", ({ target }) => fillTray(target.closest?.("#log > .message")));
  // It was pressed before this had come.
  on("click", event => {
    const more = event.target.closest(".tray [href^='?all=']"), tray = more?.closest("details");
    if (!more || event.button || hasModifier(event)) return;
    const first = fillTray(more.closest(".message"));
    if (!first) return;
    event.preventDefault();
    tray.open = true;
    first.focus({ preventScroll: true });
  });
}
