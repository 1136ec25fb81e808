// Search where the site is opened as files: browsers start no worker there, so the script of the
// worker runs in a hidden frame, which speaks with the page as a worker would.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "Search";
      document.body.append(frame);
      const inside = frame.contentWindow;
      this.messages = [];
      this.send = (data) => this.messages.push(data);
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = inside.document.createElement("script");
      script.src = url;
      script.onload = () => {
        this.send = (data) => inside.dispatchEvent(new MessageEvent("message", { data }));
        this.messages.forEach(this.send);
      };
      inside.document.body.append(script);
    }

    postMessage(data) {
      this.send(data);
    }
  };
}
