#!/bin/sh
# Puts together what the image of one target holds: sources, production dependencies, and sbom.cdx.json, the list of them.
#   deploy/images/assemble.sh <target> <folder>
# The Dockerfile runs it, and so do the tests: what is tested without a container engine is what is shipped. Needs Node.js
# 24 and pnpm 12; `pnpm_config_offline=true` takes everything from pnpm's store.
set -eu

fail() { printf 'assemble: %s\n' "$*" >&2; exit 1; }

[ $# -eq 2 ] || fail "usage: assemble.sh <target> <folder>"
target=$1
package=
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
case $target in
  archive | console | cli) ;;
  distribution-center | provider | city-registration | partner-simulator) ;;
  # The declaration of the mesh, and the command that makes what is declared.
  provision) package=@malha/deploy ;;
  *) fail "there is no target $target" ;;
esac
package=${package:-@malha/$target}

[ ! -e "$2" ] || [ -z "$(ls -A -- "$2")" ] || fail "$2 is not empty"
umask 022
mkdir -p -- "$2"
out=$(CDPATH='' cd -- "$2" && pwd -P)

# What the package needs of this workspace to run, itself included, as paths from the root.
parts=$(cd -- "$root" && pnpm --filter-prod "$package..." list --depth -1 --parseable | sed "s|^$root/||")
[ -n "$parts" ] || fail "pnpm knows no package $package"

copy() {
  mkdir -p -- "$2/$1"
  for name in package.json mesh.ts src migrations; do
    [ ! -e "$root/$1/$name" ] || cp -R -- "$root/$1/$name" "$2/$1/"
  done
}
manifests() { cp -- "$root/package.json" "$root/pnpm-lock.yaml" "$root/pnpm-workspace.yaml" "$1/"; }
# Exactly what the lockfile says, which was judged when it was made; without scripts of dependencies: none of ours needs one.
install() { pnpm install --frozen-lockfile --trust-lockfile --prefer-offline --ignore-scripts --reporter=silent "$@"; }

manifests "$out"
for part in $parts; do copy "$part" "$out"; done
cp -- "$root/deploy/images/signals.ts" "$out/"

# Optional ones are the native engines that `malha up` embeds on one machine.
cd -- "$out"
install --prod --no-optional --filter-prod "$package..."
pnpm --filter "$package" sbom --prod --no-optional --sbom-format cyclonedx --sbom-type application --out sbom.cdx.json > /dev/null

# The console finds its page built and needs no bundler: those who build are dependencies of development.
if [ "$target" = console ]; then
  bench=$(mktemp -d)
  trap 'rm -rf -- "$bench"' EXIT
  manifests "$bench"
  for part in $parts; do copy "$part" "$bench"; done
  cp -R -- "$root/packages/console/page" "$bench/packages/console/"
  (cd -- "$bench" && install --filter "$package" && node packages/console/src/page/write-page.ts)
  mv -- "$bench/packages/console/dist/page-built" "$out/packages/console/src/"
fi

# What never runs: types, maps of sources, tests of others, pnpm's notes on the machine that built this.
for ending in d.ts d.mts d.cts map; do find node_modules -type f -name "*.$ending" -delete; done
for tests in test tests __tests__; do
  rm -rf -- node_modules/.pnpm/*/node_modules/[!@]*/$tests node_modules/.pnpm/*/node_modules/@*/*/$tests
done
rm -f -- pnpm-lock.yaml node_modules/.modules.yaml node_modules/.pnpm-workspace-state-v1.json node_modules/.pnpm/lock.yaml
# Whoever built it, anybody may read it.
chmod -R a+rX .
