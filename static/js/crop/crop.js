// Of the picture that was chosen a square is stored: it is shown, and can be moved by hand and with the keys of three
// sliders. Without script it is the middle. That it was chosen says acts/settings.js. Needs a field named picture in .me__face, with the words of the dialog in data-crop.
{
  const { openSheet } = document.currentScript.kit;
  const MAX = 1000, MIN = 200, PREVIEW = 176;
  const draw = (canvas, { image, x, y, size }) => {
    const { width, height } = image, side = Math.min(width, height) * size / MAX;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, (width - side) * x / MAX, (height - side) * y / MAX, side, side, 0, 0, canvas.width, canvas.height);
  };
  const dialogOf = ([title, hint, across, down, closer, done]) => {
    const slider = (words, most, value) =>
      `<label class="crop__range">${words} <input type="range" max="${most}" step="10" value="${value}"></label>`;
    return `<h2>${title}</h2><canvas class="crop" width="480" height="480" aria-hidden="true"></canvas><p>${hint}</p>`
      + slider(across, MAX, MAX / 2) + slider(down, MAX, MAX / 2) + slider(closer, MAX - MIN, 0)
      + `<p><button class="button">${done}</button></p>`;
  };
  const open = (field, image) => {
    const { dialog } = openSheet(dialogOf(field.dataset.crop.split("|")), field), canvas = dialog.querySelector("canvas");
    const preview = document.createElement("canvas"), [x, y, closer] = dialog.querySelectorAll("input");
    preview.width = preview.height = PREVIEW;
    field.parentNode.querySelector(".avatar").append(preview);
    const stored = ["crop_x", "crop_y", "crop_size"].map(name => {
      const hidden = field.form.elements[name] || document.createElement("input");
      hidden.type = "hidden";
      hidden.name = name;
      field.form.append(hidden);
      return hidden;
    });
    const show = () => {
      const crop = { image, x: +x.value, y: +y.value, size: MAX - closer.value };
      stored.forEach((hidden, place) => hidden.value = [crop.x, crop.y, crop.size][place]);
      draw(canvas, crop);
      draw(preview, crop);
    };
    // As far as the pointer goes, so far goes the picture.
    const move = (slider, length, distance) => {
      const side = Math.min(image.width, image.height) * (MAX - closer.value) / MAX;
      if (length > side) slider.value -= distance / canvas.clientWidth * side / (length - side) * MAX;
    };
    // Steps are for keys; what a pointer does is finer.
    canvas.onpointerdown = ({ pointerId }) => {
      x.step = y.step = 1;
      canvas.setPointerCapture(pointerId);
    };
    canvas.onpointerup = () => x.step = y.step = 10;
    canvas.onpointermove = ({ buttons, movementX, movementY }) => {
      if (!buttons) return;
      move(x, image.width, movementX);
      move(y, image.height, movementY);
      show();
    };
    dialog.addEventListener("input", show);
    dialog.querySelector(".button").onclick = () => dialog.close();
    show();
  };
  const choose = async field => {
    const { form, files: [file] } = field;
    field.parentNode.querySelector("canvas")?.remove();
    form.querySelectorAll("[name^=crop_]").forEach(hidden => hidden.remove());
    // What a browser can't draw the server may still read: then its middle is taken.
    if (file) open(field, await createImageBitmap(file));
  };
  on("crop", ({ detail: field }) => choose(field).catch(() => {}));
}
