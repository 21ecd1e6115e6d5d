// The stream tells a page of an older version so, beside a link to load it anew. The page does it by itself when nobody
// is at something in it: the server says how long it waits first, for all pages come back at once after an upgrade.
(() => {
  const AGAIN_MS = 3000, ONCE_IN_MS = 300000;
  // What is being sent, what a form was answered with and can't be loaded anew, a menu that is about to be used.
  const BUSY = "#composer.htmx-request, .problem, .field--wrong, details[open]";
  const any = (css, test) => [...document.querySelectorAll(css)].some(test);
  const isBusy = () => document.querySelector(BUSY) || !getSelection().isCollapsed
    || any("input, textarea", field => field.value != field.defaultValue)
    || any(".scroller", scroller => scroller.scrollTop < -100)
    || !document.hidden && document.activeElement.matches("input, textarea, select");
  const renew = () => {
    if (isBusy()) return setTimeout(renew, AGAIN_MS);
    // While two versions answer in turns it would never end; where that can't be remembered, the link is there.
    try {
      if (Date.now() - (sessionStorage.renewed || 0) < ONCE_IN_MS) return;
      sessionStorage.renewed = Date.now();
      location.reload();
    } catch {}
  };
  let waits;
  document.addEventListener("outdated", ({ detail }) => waits ||= setTimeout(renew, detail.data));
})();
