// BullMQ: `concurrency` jobs at once, nothing kept of what is done. Same protocol as the Python peers.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [phase, text] = process.argv.slice(2);
const order = JSON.parse(text);
// The packages lie in the folder of the bench environments, not beside this file.
const require = createRequire(pathToFileURL(`${order.modules}/x.js`));
const { Queue, Worker } = require("bullmq");
const connection = { host: order.host, port: order.port, maxRetriesPerRequest: null };
const name = "bench";

function events() {
  const found = readFileSync(order.corpus, "utf8").trim().split("\n").map((line) => {
    const flat = JSON.parse(line);
    const event = {};
    for (let at = 0; at < flat.length; at += 2) event[flat[at]] = flat[at + 1];
    event.data = JSON.parse(event.data);
    return event;
  });
  return Array.from({ length: order.count }, (_, place) => found[place % found.length]);
}

const cpu = () => process.cpuUsage().user + process.cpuUsage().system;
const resident = () => Math.round(process.memoryUsage().rss / 1024);

async function load() {
  const queue = new Queue(name, { connection });
  const waiting = events();
  const opts = { removeOnComplete: true, removeOnFail: true };
  for (let begin = 0; begin < waiting.length; begin += 500) {
    await queue.addBulk(waiting.slice(begin, begin + 500).map((data) => ({ name: "handle", data, opts })));
  }
  await queue.close();
  return {};
}

async function work() {
  const marks = [];
  let seen = 0;
  let warm = 0;
  let cpuWarm = 0;
  let seenWarm = 0;
  const step = Math.max(Math.floor(order.count / 200), 1);
  let next = 0;
  const queue = new Queue(name, { connection });
  const worker = new Worker(name, async () => undefined, { connection, concurrency: order.concurrency });
  await new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.on("completed", () => {
      seen += 1;
      if (seen >= next || seen >= order.count) {
        marks.push([performance.now() / 1000, seen]);
        next = seen + step;
        if (!warm && seen >= order.count / 4) {
          warm = resident();
          cpuWarm = cpu();
          seenWarm = seen;
        }
        if (seen >= order.count) resolve();
      }
    });
  });
  const counts = await queue.getJobCounts("waiting", "active");
  if (counts.waiting + counts.active > 0) throw new Error(`not settled: ${JSON.stringify(counts)}`);
  const cpu_us = (cpu() - cpuWarm) / Math.max(seen - seenWarm, 1);
  const answer = { marks, rss_warm_kib: warm, rss_end_kib: resident(), cpu_us };
  await worker.close();
  await queue.close();
  return answer;
}

const answer = phase === "load" ? await load() : await work();
process.stdout.write(`\n${JSON.stringify(answer)}\n`);
process.exit(0);
