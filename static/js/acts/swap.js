// A room is opened in place: the page is fetched as the browser would, and of it the pane and the list of rooms are put
// where the old ones stand. What waits to be sent, the sidebar's place and this script stay; it is about a third faster
// (tests/bench/opening.py). Without it, and wherever anything is unusual, the browser opens the page.
{
  const shownAddress = () => location.pathname + location.search;
  let shown = shownAddress(), opening;
  const entryOf = path => [...findAll("#entries a.entry")].find(entry => entry.getAttribute("href") == path);
  const mark = entry => {
    findAll("#entries [aria-current]").forEach(other => other.removeAttribute("aria-current"));
    entry?.setAttribute("aria-current", "page");
  };
  // Its script and its session are those of this page: neither an upgrade nor another sign-in lies in between.
  const isSame = page => {
    const script = page.querySelector("script[data-acts]"), own = find("script[data-acts]");
    return page.querySelector("#log") && page.querySelector("#entries") && page.documentElement.lang == document.documentElement.lang
      && script?.getAttribute("src") == own.getAttribute("src") && script.dataset.session == own.dataset.session;
  };
  // Parts for browsers without script would come alive in what is put in by script: frames, and their endless streams.
  const withoutFrames = html => html.replace(/<noscript>[^]*?<\/noscript>/g, "");

  const open = async (href, isBack) => {
    opening?.abort();
    const own = opening = new AbortController();
    let text, page, url;
    try {
      const answer = await fetch(href, { signal: own.signal });
      ({ url } = answer);
      text = withoutFrames(await answer.text());
      page = answer.ok && new DOMParser().parseFromString(text, "text/html");
    } catch {}
    if (own.signal.aborted) return;
    opening = null;
    if (!page || !isSame(page)) return isBack ? location.reload() : location.assign(href);
    // Its styles are there before what they are of.
    await Promise.all([...page.querySelectorAll("head > [href^='/static/'][rel=stylesheet]")].map(styledBy));
    // What each part holds of the room that is left: what was read of it, forms that are open in it.
    tell("leave");
    if (!isBack) {
      history.replaceState({ top: find(".scroller").scrollTop }, "");
      history.pushState({}, "", url);
    }
    shown = shownAddress();
    await htmx.swap({
      text, sourceElement: find("#main"), target: "#main", select: "#main", swap: "outerHTML",
    });
    // The list itself stays: it would go back to its top.
    find("#entries").replaceChildren(...page.querySelector("#entries").children);
    htmx.process(find("#entries"));
    // It stands above the pane, and leads to a message of this room.
    const skip = page.querySelector("#skip-newest");
    find("#skip-newest")?.remove();
    if (skip) find(".skip").after(skip);
    document.title = page.title;
    const field = find("#text"), place = field && matchMedia("(pointer: fine)").matches ? field : find("#room-name");
    if (place && place != field) place.tabIndex = -1;
    place?.focus({ preventScroll: true });
    if (isBack && history.state?.top) find(".scroller").scrollTop = history.state.top;
    find("#entries [aria-current]")?.scrollIntoView({ block: "nearest" });
  };

  on("click", event => {
    const entry = event.target.closest("#entries a.entry, #suggestions a.entry:not(.entry--found)");
    // From a page without a log another frame and other styles are needed; on a phone the list is such a page.
    if (!entry || event.defaultPrevented || event.button || hasModifier(event) || !find("#log")) return;
    event.preventDefault();
    const href = entry.getAttribute("href");
    mark(entry);
    open(href);
  });
  // Also for the place of a message in the same room.
  on("popstate", () => {
    if (shownAddress() == shown) return;
    mark(entryOf(location.pathname));
    open(shownAddress(), true);
  }, window);
}
