// Settings that are seen at once: light or dark, the size of the words (the form itself saves them, by htmx), and the
// picture that was chosen, as it will be cut. Needs fields named theme, text_size and picture, the last one in .me__face.
{
  const ATTRIBUTES = { theme: "theme", text_size: "text" }, SIZE = 176;
  const apply = ({ name, value }) => {
    const { dataset } = document.documentElement, attribute = ATTRIBUTES[name];
    if (value) dataset[attribute] = value;
    else delete dataset[attribute];
  };
  // What a browser can't draw the server may still read: then there is no preview.
  const preview = async field => {
    const [file] = field.files;
    field.parentNode.querySelector("canvas")?.remove();
    if (!file) return;
    const image = await createImageBitmap(file), { width, height } = image, side = Math.min(width, height);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIZE;
    canvas.getContext("2d").drawImage(image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIZE, SIZE);
    field.parentNode.querySelector(".avatar").append(canvas);
  };
  on("change", ({ target }) => {
    if (ATTRIBUTES[target.name]) apply(target);
    if (target.name == "picture") preview(target).catch(() => {});
  });
  // The first of them was pressed before this came.
  if (find("[name=theme]")) findAll("[name=theme]:checked, [name=text_size]:checked").forEach(apply);
}
