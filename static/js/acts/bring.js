// What is pressed seldom is a bundle of its own (see PRESSED in webapp/http/assets.py), loaded when it is first asked for.
// It begins with helpers.js, and takes what else it needs of this one from the script element: see emoji/emoji.js.
const kit = { announce, ask, parse, openSheet };
const loading = {};
const load = address => loading[address] ||= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  Object.assign(script, { src: address, kit, onload: resolve });
  script.onerror = () => {
    script.remove();
    delete loading[address];
    reject();
  };
  document.head.append(script);
});
// The bundle listens for an event of this name. Whoever asks again while it loads is told once for each time.
const bring = async (address, name, detail) => {
  try {
    await load(address);
    tell(name, detail);
  } catch {
    announce(texts.failed);
  }
};
