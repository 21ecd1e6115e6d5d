// An answer is begun where one stands: of the composer only the part with the quote is swapped, and what was typed stays.
// A quote leads to its original in the log. Without this they are links: to the page with that composer, to the message.
// Needs #composer with #answered.
{
  const part = () => find("#composer #answered");
  const clear = () => part().replaceChildren();
  let asked;
  const begin = async number => {
    const own = asked = {};
    const { ok, html } = await ask(find("#composer").getAttribute("action").replace(/messages$/, "composer?reply=" + number));
    const answered = parse(html).querySelector("#answered");
    if (own != asked || !part()) return;
    if (!ok || !answered) return announce(problemIn(html));
    part().replaceWith(answered);
    find("#text").focus();
  };
  const jump = (link, event) => {
    const number = link.pathname.split("/").pop(), item = find(`#log > .message[id$="-${number}"]`);
    if (!item) return;
    event.preventDefault();
    location.hash = item.id;
    item.querySelector("summary")?.focus({ preventScroll: true });
  };
  on("click", event => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button || hasModifier(event)) return;
    if (link.matches(".said")) return jump(link, event);
    if (!part()) return;
    if (link.matches(".tray [href^='?reply=']")) {
      link.closest("details").open = false;
      begin(link.search.split("=")[1]);
    } else if (link.matches("#answered .round")) {
      clear();
      find("#text").focus();
    } else return;
    event.preventDefault();
  });
  on("keydown", event => {
    if (event.key != "Escape" || event.target.id != "text" || event.isComposing || !part()?.firstChild) return;
    event.preventDefault();
    clear();
  });
}
