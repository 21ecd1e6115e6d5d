// A picture over the page, and from there the one before and the next, by buttons, keys and a finger; which one is pressed
// says "picture" (see acts/pictures.js). For who saves data the first press only puts the small one in its place.
// Needs links .picture to whole pictures (templates/messages/_attachments.html), their names in data-words of .files.
{
  const { announce, openSheet } = document.currentScript.kit;
  const SWIPE = 48;
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const all = () => [...findAll("main .picture")].filter(link => link.getClientRects().length);
  const thumbOf = link => link.pathname.replace(/\/[^/]*$/, "-thumb.webp");
  const titleOf = link => (link.querySelector("img")?.alt || link.querySelector("b")?.textContent || "").trim();

  const isSaved = link => document.body.matches(".save-data") && !link.matches(".picture--shown");
  const show = link => {
    const [width, height] = (link.dataset.size || "").split(" "), before = [...link.childNodes];
    const image = link.querySelector("img") || make("img", { width, height, alt: titleOf(link), src: thumbOf(link) });
    image.onerror = () => {
      link.replaceChildren(...before);
      link.classList.remove("picture--shown");
      announce(texts.failed);
    };
    link.replaceChildren(image);
    // By it a style hides what has come by a stream.
    link.removeAttribute("data-show");
    link.classList.add("picture--shown");
  };

  const open = opener => {
    const { dialog } = openSheet("<h2 class=viewer__title></h2>", opener), title = dialog.querySelector("h2");
    const image = make("img", { className: "viewer__picture", alt: "", draggable: false });
    const words = (opener.closest(".files").dataset.words || "").split("|");
    const [back, next] = ["‹", "›"].map((sign, place) => make("button", {
      type: "button", className: "viewer__step round", textContent: sign, title: words[place], ariaLabel: words[place],
      onclick: () => step(place ? 1 : -1),
    }));
    const isTurned = getComputedStyle(dialog).direction == "rtl";
    let link = opener;
    // The small one is there at once. Of pictures that were passed quickly the whole ones come too late to be shown.
    const fill = () => {
      const own = link, links = all(), place = links.indexOf(own), whole = new Image();
      image.src = thumbOf(own);
      image.alt = titleOf(own);
      title.textContent = titleOf(own) + (links.length > 1 ? ` (${place + 1} / ${links.length})` : "");
      back.disabled = place < 1;
      next.disabled = place > links.length - 2;
      whole.onload = () => {
        if (link == own) image.src = whole.src;
      };
      whole.src = own.href;
    };
    // What was removed, or came again, meanwhile is looked for by its address.
    const step = by => {
      const links = all(), place = links.findIndex(({ href }) => href == link.href), to = links[place + by];
      if (!to || place < 0) return;
      link = to;
      fill();
      announce(title.textContent);
      if (document.activeElement.disabled) (by > 0 ? back : next).focus();
    };
    dialog.classList.add("viewer");
    title.after(image, back, next);
    fill();
    dialog.onkeydown = event => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || hasModifier(event)) return;
      event.preventDefault();
      step(isTurned ? -by : by);
    };
    let begun;
    dialog.onpointerdown = ({ isPrimary, clientX }) => begun = isPrimary ? clientX : NaN;
    dialog.onpointerup = ({ clientX }) => {
      const way = clientX - begun;
      begun = NaN;
      if (Math.abs(way) > SWIPE) step(way < 0 != isTurned ? 1 : -1);
    };
  };

  on("picture", ({ detail: link }) => {
    if (isSaved(link)) show(link);
    else if (!find("dialog[open]")) open(link);
  });
}
