// Tests the built page in Chromium: .ci/test-web starts it.
//
//   node test.mjs FOLDER SCREENSHOTS [PHOTO [MASK]]
//
// MASK is what the desktop program makes of the photo with the same model and steps.
//
// The canvas publishes what the window shows as data attributes (src/viewer/browser.rs).
import { createServer } from "node:http";
import { readFile, mkdir } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { inflateSync } from "node:zlib";
import { chromium } from "playwright-core";

const [folder, pictures, photo, desktopMask] = process.argv.slice(2);
await mkdir(pictures, { recursive: true });

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".svg": "image/svg+xml", ".webp": "image/webp" };
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  try {
    const file = join(folder, path === "/" ? "index.html" : path);
    const bytes = await readFile(file);
    response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Length": bytes.length });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const address = `http://127.0.0.1:${server.address().port}/`;

// WebGPU of a machine without a GPU is Chromium's own software one.
const GPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-vulkan=swiftshader", "--use-angle=swiftshader"];
const launch = (flags) =>
  chromium.launch({
    executablePath: process.env.FLOWSEG_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...flags],
  });

let failures = 0;
const check = (what, passed, note = "") => {
  console.log(`${passed ? "ok    " : "FAILED"} ${what}${note ? ` (${note})` : ""}`);
  failures += passed ? 0 : 1;
};

/// What the window says about itself.
const facts = (page) => page.locator("#flowseg").evaluate((canvas) => ({ ...canvas.dataset }));

const until = async (page, what, reached, seconds = 180) => {
  const end = Date.now() + 1000 * seconds;
  for (;;) {
    const now = await facts(page);
    if (now.error) throw new Error(`${what}: ${now.error}`);
    const message = await page.locator("#message:not([hidden])").allTextContents();
    if (message.length) throw new Error(`${what}: ${message}`);
    if (reached(now)) return now;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s; ${JSON.stringify(now)}`);
    await page.waitForTimeout(50);
  }
};

const settled = (now) => now.settled === "true" && !now.doing;

const open = async (browser, query, size = { width: 1280, height: 800 }) => {
  const context = await browser.newContext({ viewport: size, acceptDownloads: true });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || process.env.VERBOSE) console.log(`       ${message.type()}: ${message.text().slice(0, 400)}`);
  });
  page.on("pageerror", (error) => console.log(`       page error: ${String(error).slice(0, 400)}`));
  const start = Date.now();
  await page.goto(`${address}?${query}`);
  await page.locator("#loading").waitFor({ state: "hidden", timeout: 60000 }).catch(() => {});
  return { page, context, seconds: (Date.now() - start) / 1000 };
};

// While the network computes on the software GPU, a picture of the page has to wait.
const shoot = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`), timeout: 180000 });

/// The values of a grey PNG of 8 bits without interlacing.
const grey = (png) => {
  const width = png.readUInt32BE(16), height = png.readUInt32BE(20);
  const parts = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  const raw = inflateSync(Buffer.concat(parts));
  const values = Buffer.alloc(width * height);
  const value = (x, y) => (x < 0 || y < 0 ? 0 : values[y * width + x]);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (width + 1)];
    for (let x = 0; x < width; x++) {
      const a = value(x - 1, y), b = value(x, y - 1), c = x ? value(x - 1, y - 1) : 0;
      const paeth = () => {
        const [p, q, r] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
        return p <= q && p <= r ? a : q <= r ? b : c;
      };
      const predicted = [0, a, b, (a + b) >> 1][filter] ?? paeth();
      values[y * width + x] = (raw[y * (width + 1) + 1 + x] + predicted) & 255;
    }
  }
  return { width, height, values };
};

const flow = async (browser) => {
  const { page, seconds } = await open(browser, "device=wgpu&model=scenes&steps=2&theme=dark");
  check("the first picture comes within 3 s", seconds < 3, `${seconds.toFixed(1)} s`);
  await shoot(page, "first");
  const start = Date.now();
  const done = await until(page, "the sample", settled);
  console.log(`       the sample's flow took ${((Date.now() - start) / 1000).toFixed(1)} s`);
  check("the sample has all states", done.states === "3", done.shown);
  await until(page, "playing", (now) => now.position === "2.00");
  check("it plays to the end", true);
  await shoot(page, "flow");
  await page.locator("#flowseg").focus();
  for (const [key, position] of [["ArrowLeft", "1.00"], ["Home", "0.00"], ["ArrowRight", "1.00"], ["End", "2.00"]]) {
    await page.keyboard.press(key);
    await until(page, key, (now) => now.position === position, 10);
  }
  check("keys scrub", true);
  await page.mouse.move(450, 330);
  await page.waitForTimeout(500);
  await shoot(page, "pixel");
  if (photo) {
    await page.locator("#files").setInputFiles(photo);
    const name = photo.split("/").at(-1);
    const opened = await until(page, "the photo", (now) => now.photo === name && settled(now));
    check("a photo opens by the file input", opened.states === "3", opened.shown);
    await until(page, "playing", (now) => now.position === "2.00");
    await shoot(page, "photo");
    await page.keyboard.press("Control+e");
    await page.waitForTimeout(1000);
    await shoot(page, "export");
    const coming = page.waitForEvent("download", { timeout: 20000 });
    const [x, y] = (process.env.FLOWSEG_EXPORT_AT ?? "640,230").split(",").map(Number);
    await page.mouse.click(x, y);
    const download = await coming;
    const bytes = await readFile(await download.path());
    check("a label map is exported as a PNG", bytes.subarray(1, 4).toString() === "PNG", `${download.suggestedFilename()}, ${bytes.length} bytes`);
    if (desktopMask) {
      const [here, there] = [grey(bytes), grey(await readFile(desktopMask))];
      const same = here.values.filter((value, at) => value === there.values[at]).length;
      const share = same / there.values.length;
      check("the mask equals the desktop program's", here.width === there.width && share >= 0.995, `${(100 * share).toFixed(2)} % of the pixels`);
    }
  }
  await page.close();
};

const field = async (browser) => {
  const { page } = await open(browser, "device=wgpu&model=scenes&steps=1&field=1&theme=dark", { width: 1920, height: 1080 });
  await until(page, "the field", settled);
  await page.waitForTimeout(4000);
  await shoot(page, "field");
  check("the field opens", !(await facts(page)).error);
  await page.close();
};

// Ten steps on the CPU backend: Chromium's software WebGPU takes half a minute for one.
const lesson = async (browser) => {
  const { page } = await open(browser, "device=cpu&model=scenes&lesson=2&theme=light");
  await until(page, "the lesson", settled);
  await page.waitForTimeout(2000);
  await shoot(page, "lesson");
  check("a lesson opens", !(await facts(page)).error);
  await page.close();
};

const cpu = async (browser) => {
  const { page } = await open(browser, "device=cpu&model=scenes&steps=1&theme=light", { width: 1920, height: 1080 });
  const start = Date.now();
  const done = await until(page, "the sample on the CPU", settled);
  check("the CPU backend computes", done.states === "2", `${((Date.now() - start) / 1000).toFixed(1)} s`);
  await until(page, "playing", (now) => now.position === "1.00");
  await shoot(page, "cpu");
  await page.close();
};

const without = async () => {
  const browser = await launch(["--disable-gpu"]);
  const { page } = await open(browser, "");
  const text = await page.locator("#message").textContent();
  await shoot(page, "without");
  check("a browser without WebGPU is told so", /WebGPU/.test(text), text);
  await browser.close();
};

const tests = { flow, field, lesson, cpu, without };
const wanted = process.env.FLOWSEG_TESTS?.split(",") ?? Object.keys(tests);
const browser = await launch(GPU);
for (const name of wanted) {
  try {
    await tests[name](browser);
  } catch (error) {
    check(name, false, String(error.message).slice(0, 600));
    for (const context of browser.contexts()) {
      for (const page of context.pages()) await shoot(page, `failed-${name}`).catch(() => {});
      await context.close();
    }
  }
}
await browser.close();
server.close();
console.log(failures ? `${failures} failed` : "all passed");
process.exit(failures ? 1 : 0);
