// A picture of a message is shown over the page, by a bundle of its own (the folder pictures/). Without script, or where
// that does not come, its link leads to the whole picture.
on("click", event => {
  const link = event.target.closest(".picture");
  if (!link || event.defaultPrevented || event.button || hasModifier(event)) return;
  event.preventDefault();
  load("/static/pictures.js").then(() => tell("picture", link), () => location.assign(link.href));
});
