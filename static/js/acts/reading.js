// Reading further up: what comes meanwhile is counted at the way down, and earlier messages come by themselves.
// Without this the way down has no number, and the link above the log is to be pressed.
{
  const scrollerOf = () => find("#log")?.closest(".scroller");
  const messages = () => [...findAll("#log > .message[data-version]")];
  const lastNumber = () => Math.max(0, ...messages().slice(-1).map(numberOf));

  // The newest message that was on the screen, or could have been.
  let seen = lastNumber();
  const count = () => {
    const scroller = scrollerOf(), down = find(".down");
    if (!scroller || !isScrolledUp(scroller)) seen = lastNumber();
    if (!down) return;
    const unread = messages().filter(item => numberOf(item) > seen).length;
    let badge = down.querySelector(".unread");
    if (!badge && !unread) return;
    if (!badge) {
      badge = document.createElement("span");
      badge.className = "unread";
      down.append(badge);
    }
    badge.hidden = !unread;
    if (badge.textContent != unread) badge.textContent = unread;
  };
  // With the next frame, which lays the page out anyway: once for all that comes until then.
  const countSoon = () => requestAnimationFrame(count);
  onStream("htmx:sse:after:message", countSoon);
  onOpen(() => {
    seen = lastNumber();
    countSoon();
  });

  // Earlier ones, two screens before they are reached. What failed is left to a press.
  let asked;
  const askEarlier = scroller => {
    const link = find("#earlier a[hx-get]"), left = scroller.scrollHeight - scroller.clientHeight + scroller.scrollTop;
    if (!link || link == asked || left > 2 * scroller.clientHeight) return;
    asked = link;
    if (!link.matches(".htmx-request")) link.click();
  };
  const onScroll = scroller => {
    count();
    // Who has only just opened the page has not asked for more than it shows.
    if (isScrolledUp(scroller)) askEarlier(scroller);
  };
  document.addEventListener("scroll", ({ target }) => target == scrollerOf() && onScroll(target), true);
  // It comes with the first turn of a wheel, which has moved the log before.
  if (scrollerOf()) requestAnimationFrame(() => scrollerOf() && onScroll(scrollerOf()));

  const goToEnd = () => {
    const later = find("#log ~ .more a[href]:last-child");
    if (later) return later.click();
    scrollerOf().scrollTop = 0;
  };
  on("click", event => {
    // On a page of earlier messages it leads to the newest.
    if (!event.target.closest(".down") || hasModifier(event) || find("#log ~ .more a[href]:last-child")) return;
    event.preventDefault();
    goToEnd();
  });
  // With nothing in focus the page itself would scroll, which it can't.
  const PAGES = { PageUp: -1, PageDown: 1 };
  on("keydown", event => {
    const { key, target } = event, scroller = scrollerOf();
    if (!scroller || event.defaultPrevented || hasModifier(event) || !isFree(target)) return;
    if (key == "End") goToEnd();
    else if (key == "Home") scroller.scrollTop = -scroller.scrollHeight;
    else if (PAGES[key] && target != scroller) scroller.scrollBy(0, PAGES[key] * scroller.clientHeight * .9);
    else return;
    event.preventDefault();
  });
}
