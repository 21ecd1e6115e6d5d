// The stream tells a page of an older version so, beside a link to load it again. The page does it by itself when nobody
// is at something in it: the server says how long it waits first, for all pages come back at once after an upgrade.
{
  const RETRY_MS = 3000, MIN_INTERVAL_MS = 300000;
  // What is being sent, what a form was answered with and can't be loaded again, a menu that is about to be used.
  const BUSY = ".pending > li, .chip, .problem, .field--wrong, details[open]";
  const any = (css, test) => [...findAll(css)].some(test);
  // The field has the focus from the start (see composer.js): that nobody has typed in it yet keeps no page old.
  on("input", ({ target }) => target.isIdle = false);
  const isBusy = () => find(BUSY) || !getSelection().isCollapsed
    || any("input, textarea", field => field.value != field.defaultValue)
    || any(".scroller", isScrolledUp)
    || !document.hidden && document.activeElement.matches("input, textarea, select") && !document.activeElement.isIdle;
  const reload = () => {
    if (isBusy()) return setTimeout(reload, RETRY_MS);
    // While two versions answer in turns it would never end; where that can't be remembered, the link is there.
    try {
      if (Date.now() - (sessionStorage.renewed || 0) < MIN_INTERVAL_MS) return;
      sessionStorage.renewed = Date.now();
      location.reload();
    } catch {}
  };
  let timer;
  on("outdated", ({ detail }) => timer ||= setTimeout(reload, detail.data));
}
