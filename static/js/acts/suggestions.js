// What is found is offered below the field at the side while one types there; Enter opens the page of the search, which
// is all that there is without script. Needs the form around #find.
{
  const PAUSE_MS = 300, MIN_LETTERS = 2;
  const field = () => find("#find"), list = () => find("#suggestions");
  const links = () => [...findAll("#suggestions a")];
  let timer = 0, shown = "";
  const close = () => {
    clearTimeout(timer);
    shown = "";
    list()?.replaceChildren();
  };
  const wanted = () => field()?.value.trim() || "";
  const suggest = async () => {
    const words = wanted(), form = field().form;
    if (words == shown) return;
    if (words.length < MIN_LETTERS) return close();
    const { ok, html } = await ask(`${form.action}?suggest=1&q=${encodeURIComponent(words)}`);
    // The answer to what has been changed meanwhile, or after the field was left.
    if (!ok || words != wanted() || !form.contains(document.activeElement)) return;
    shown = words;
    const [count, ...found] = parse(html).children;
    list().previousElementSibling.textContent = count.textContent;
    list().replaceChildren(...found);
  };
  const begin = () => {
    if (!list()) {
      field().autocomplete = "off";
      // How many there are stands there before it is written to, or it would not be read out.
      field().form.insertAdjacentHTML("beforeend", '<p role="status" class="visually-hidden"></p><div id="suggestions"></div>');
    }
    clearTimeout(timer);
    timer = setTimeout(suggest, PAUSE_MS);
  };
  on("input", ({ target }) => target.id == "find" && begin());
  // What was typed until this script came.
  if (document.activeElement == field() && wanted()) begin();
  // From the field into the list and through it; Tab goes the same way.
  on("keydown", event => {
    const { key, target } = event, all = links(), form = field()?.form;
    if (!all.length && !list()?.firstChild || !form.contains(target)) return;
    const place = all.indexOf(target) + { ArrowDown: 1, ArrowUp: -1 }[key];
    if (key == "Escape") close();
    else if (place >= -1) place < all.length && (all[place] || field()).focus();
    else return;
    event.preventDefault();
    if (key == "Escape") field().focus();
  });
  // It is left, for another place of the page or of what is found.
  on("focusin pointerdown", ({ target }) => field()?.form.contains(target) || list()?.firstChild && close());
  on("click", event => {
    if (!event.target.closest("#suggestions a") || hasModifier(event)) return;
    // After whoever opens the room in place has taken its address.
    setTimeout(() => { field().value = ""; close(); });
  });
}
