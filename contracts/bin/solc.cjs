// Speaks the part of native solc's command line that forge and py-solc-x use, on top of solcjs.
// solcjs's own command line prints lines starting with `>>>` among the JSON and rejects --allow-paths, so it is not used.
"use strict";

const fs = require("fs");
const path = require("path");

const VALUED = new Set(["--allow-paths", "--base-path", "--include-path"]);

/** Splits the arguments into flags (with their values dropped or kept) and leaves nothing unread. */
function parse(argv) {
  const options = { flags: new Set(), roots: [] };
  for (let i = 0; i < argv.length; i++) {
    const [name, inline] = argv[i].split(/=(.*)/s);
    if (!VALUED.has(name)) {
      options.flags.add(argv[i]);
      continue;
    }
    const value = inline === undefined ? argv[++i] : inline;
    if (name !== "--allow-paths" && value) options.roots.push(value);
  }
  return options;
}

/** Answers imports that the standard JSON input does not carry itself. */
function reader(roots) {
  return (wanted) => {
    for (const root of roots) {
      const file = path.resolve(root, wanted);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: "File not found inside the base path or any of the include paths." };
  };
}

function main() {
  const { flags, roots } = parse(process.argv.slice(2));
  const compiler = require("solc");
  if (flags.has("--version")) {
    const version = compiler.version().replace(/^v/, "");
    process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
    return;
  }
  if (!flags.has("--standard-json")) {
    process.stderr.write("solc: only --version and --standard-json are supported by this wrapper\n");
    process.exitCode = 1;
    return;
  }
  const callbacks = roots.length > 0 ? { import: reader(roots) } : undefined;
  process.stdout.write(compiler.compile(fs.readFileSync(0, "utf8"), callbacks));
}

main();
