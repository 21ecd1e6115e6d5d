// The log does not grow for hours. Needs #log in a .scroller, #earlier above it, and data-read on #stream.
{
  // Beyond 400 messages all but the newest 300 go, or fewer, so that the first that stays says whose it is; unless
  // somebody reads further up. The link above then leads to those that went.
  const TRIMMED_MESSAGES = 300;
  const hasMore = (log, count) => log.children.length > count;
  // "long" says log.js.
  on("long", () => {
    const log = find("#log"), earlier = find("#earlier"), { read } = find("#stream").dataset;
    if (!read || !log || !earlier || isScrolledUp(log.closest(".scroller"))) return;
    let first, day = earlier.querySelector("time");
    const isTooMany = () => first.matches(".message--continues") && hasMore(log, TRIMMED_MESSAGES - 50)
      || hasMore(log, TRIMMED_MESSAGES);
    while ((first = log.firstElementChild) && isTooMany()) {
      day = first.querySelector(".message__day time") || day;
      first.remove();
    }
    const link = document.createElement("a");
    const before = read.slice(0, -"/read".length) + "?before=" + numberOf(first);
    Object.entries({ href: before, "hx-get": before, "hx-target": "#log", "hx-swap": "afterbegin", "hx-sync": "drop" })
      .forEach(pair => link.setAttribute(...pair));
    link.textContent = earlier.dataset.link;
    earlier.replaceChildren(link);
    if (day && !first.querySelector(".message__day")) {
      day.className = "more__day";
      earlier.append(document.createElement("br"), day);
    }
    htmx.process(earlier);
  });
}
