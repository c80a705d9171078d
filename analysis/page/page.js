// What the page does when it is opened.

const DATA = JSON.parse(document.getElementById("data").textContent);

for (const [host, specs] of [["training-charts", DATA.training], ["step-charts", DATA.steps]]) {
  const drawable = specs.filter(spec => spec.lines.some(line => line.y.some(y => y !== null)));
  document.getElementById(host).append(...drawable.map(chart));
}
document.getElementById("training").hidden = !DATA.training.length;

if (DATA.examples) new Browser(document.getElementById("browser"), DATA.examples);
else document.getElementById("browser").append(html("p", { class: "empty" }, "No answers to single puzzles were kept."));

document.getElementById("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches, root = document.documentElement;
  const now = root.dataset.theme || (dark ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});
