// A voice message: recorded here, heard again as a chip, sent like any other file. Five minutes at most.
const MAX_SECONDS = 300, TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
let recording;
const isRecording = () => !!recording;
const stopRecording = () => {
  if (!recording) return;
  const { recorder, stream, timer } = recording;
  recording = null;
  clearInterval(timer);
  if (recorder.state != "inactive") recorder.stop();
  // The sign that a microphone is on goes with the last track.
  stream.getTracks().forEach(track => track.stop());
};
const record = async menu => {
  const [row, problem] = [menu.querySelector(".attach__voice"), menu.querySelector(".problem")];
  problem.hidden = true;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch ({ name }) {
    problem.textContent = name == "NotFoundError" ? words.nomic : words.denied;
    problem.hidden = false;
    return;
  }
  // The menu was closed while the browser asked.
  if (!menu.isConnected) return stream.getTracks().forEach(track => track.stop());
  const mimeType = TYPES.find(type => MediaRecorder.isTypeSupported(type)), began = Date.now(), pieces = [];
  const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 32000 });
  const clock = row.querySelector(".attach__clock"), [stopper, discarder] = row.querySelectorAll("button");
  const finish = () => {
    recorder.onstop = () => {
      const type = recorder.mimeType.split(";")[0], ending = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" }[type];
      const at = new Date().toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false });
      const voice = new File(pieces, `${words.voice} ${at.replace(/\W/g, ".")}.${ending || "webm"}`, { type });
      closeMenu();
      addFiles([voice], { preview: URL.createObjectURL(voice) });
    };
    stopRecording();
  };
  const show = () => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (seconds >= MAX_SECONDS) finish();
  };
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  recorder.onerror = () => closeMenu(true);
  recorder.start(1000);
  recording = { recorder, stream, timer: setInterval(show, 250) };
  menu.classList.add("attach__menu--records");
  show();
  say(words.recording);
  stopper.onclick = finish;
  discarder.onclick = () => closeMenu(true);
  stopper.focus();
};
