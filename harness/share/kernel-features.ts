// SPDX-License-Identifier: GPL-2.0-only
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { repositoryRoot } from '../host/paths.ts';
import { compareVersions } from '../kernel/versions.ts';

const featuresSchema = z.record(
  z.string(),
  z.strictObject({
    symbols: z.array(z.string()).min(1),
    option: z.string(),
    since: z.string(),
    until: z.string().optional(),
    gone: z.string().optional(),
  }),
);

const FEATURES = featuresSchema.parse(parse(readFileSync(join(repositoryRoot, 'harness/share/kernel-features.yaml'), 'utf8')));

/**
 * Why a kernel does not have a feature, or undefined where it has.
 * @param kallsyms the guest's /proc/kallsyms: what is built in says so there, whatever the version promises.
 */
export function whyMissing(feature: string, release: string, kallsyms: string): string | undefined {
  const { symbols, option } = featureNamed(feature);
  if (symbols.every((symbol) => new RegExp(`^\\S+ \\S ${symbol}(\\s|$)`, 'm').test(kallsyms))) return undefined;
  return whyNever(feature, release) ?? `${release} was built without ${feature} (${option})`;
}

/** Why no kernel of this version has a feature, as far as the table knows; nothing has to be booted to tell. */
export function whyNever(feature: string, release: string): string | undefined {
  const { since, until, gone } = featureNamed(feature);
  if (until !== undefined && compareVersions(release, until) >= 0) return `${release} has no ${feature}: ${gone ?? `gone since ${until}`}`;
  if (compareVersions(release, since) < 0) return `${release} has no ${feature}: it came with ${since}`;
  return undefined;
}

function featureNamed(feature: string): z.infer<typeof featuresSchema>[string] {
  const known = FEATURES[feature];
  if (known === undefined) throw new Error(`no kernel feature ${feature} in kernel-features.yaml`);
  return known;
}
