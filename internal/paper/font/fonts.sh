#!/bin/sh
# Cuts the font of this directory out of Noto Sans SC (OFL 1.1), at exactly the versions below: the characters of GBK,
# with Latin, Greek, Cyrillic and the usual signs. Needs npm and node.
set -eu

noto=0.4.3
subset=2.9.0

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
npm install --silent --no-save "@expo-google-fonts/noto-sans-sc@$noto" "subset-font@$subset"

cat >cut.mjs <<'EOF'
import subset from 'subset-font';
import fs from 'node:fs';

// Every character that two bytes between these bounds say in GBK.
function hanzi(lead, lastLead, trail) {
  const gbk = new TextDecoder('gbk', { fatal: true });
  let all = '';
  for (let a = lead; a <= lastLead; a++)
    for (let b = trail; b <= 0xfe; b++) {
      try {
        const c = gbk.decode(new Uint8Array([a, b]));
        if (c.length === 1) all += c;
      } catch { /* not assigned */ }
    }
  return all;
}

const signs = [[0x20, 0x7e], [0xa0, 0x17f], [0x370, 0x45f], [0x2000, 0x25ff], [0x2600, 0x26ff], [0x3000, 0x30ff], [0xff00, 0xffef]]
  .map(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i)).join('')).join('');
const noto = (name) => fs.readFileSync(`node_modules/@expo-google-fonts/noto-sans-sc/${name}/NotoSansSC_${name}.ttf`);
const font = await subset(noto('400Regular'), hanzi(0x81, 0xfe, 0x40) + signs, { targetFormat: 'truetype', noLayoutClosure: true });
fs.writeFileSync(`${process.argv[2]}/regular.ttf`, font);
EOF
node cut.mjs "$here"
cp node_modules/@expo-google-fonts/noto-sans-sc/LICENSE_FONT "$here/LICENSE"
