// Settings that are seen at once: light or dark, and the size of the words (the form itself saves them, by htmx).
// Needs fields named theme and text_size. For a picture that is chosen the folder crop/ is loaded.
{
  const ATTRIBUTES = { theme: "theme", text_size: "text" };
  const apply = ({ name, value }) => {
    const { dataset } = document.documentElement, attribute = ATTRIBUTES[name];
    if (value) dataset[attribute] = value;
    else delete dataset[attribute];
  };
  on("change", ({ target }) => {
    if (ATTRIBUTES[target.name]) apply(target);
    if (target.name == "picture") bring("/static/crop.js", "crop", target);
  });
  // The first of them was pressed before this came.
  if (find("[name=theme]")) findAll("[name=theme]:checked, [name=text_size]:checked").forEach(apply);
  const chosen = find(".me__face [type=file]");
  if (chosen?.files[0]) bring("/static/crop.js", "crop", chosen);
}
