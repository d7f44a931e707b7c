// Generates with two contexts at once; node-llama-cpp decodes on threads of its pool.
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [modelPath, most] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error});
const model = await llama.loadModel({modelPath});

async function generate() {
  const context = await model.createContext({contextSize: 256, threads: 1});
  const tokens = [];
  for await (const token of context.getSequence().evaluate(model.tokenize("When you run the program"), {temperature: 0})) {
    tokens.push(token);
    if (tokens.length >= Number(most)) {
      break;
    }
  }
  await context.dispose();
  return tokens.join(" ");
}

console.log((await Promise.all([generate(), generate()])).join("\n"));
process.exit(5);
