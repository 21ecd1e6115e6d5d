// Emoji for who has no keyboard on the screen that brings some: a button in the composer. What it opens is a bundle of its
// own (the folder emoji/).
// Needs #composer with .composer__box and .composer__send.
{
  const addButton = async () => {
    await styled;
    const send = find("#composer .composer__box > .composer__send");
    if (!send || find(".composer__emoji")) return;
    const icon = send.querySelector("svg").cloneNode(true), use = icon.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, "#smile"));
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "composer__emoji round", title: "Emoji", ariaExpanded: "false" });
    button.setAttribute("aria-haspopup", "dialog");
    button.append(icon);
    send.before(button);
  };
  addButton();
  // Another room, or one that may be written to again.
  on("htmx:after:process", addButton);
  on("click", ({ target }) => {
    const button = target.closest(".composer__emoji");
    if (button) bring("/static/emoji.js", "emoji", button);
  });
}
