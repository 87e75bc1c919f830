// SPDX-License-Identifier: GPL-2.0-only
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { bisect, bisectionOf } from '../bisect/bisect.ts';
import { commitsBetween, patchesOf, symbolsBetween, underBisection, type Common } from '../bisect/candidates.ts';
import { byAnyFailure, byCounter, bySplat, bySubtest, type Criterion } from '../bisect/criterion.ts';
import { Trials } from '../bisect/trial.ts';
import type { Context } from '../host/context.ts';
import { FuselageError, InputError, InterruptedError } from '../host/errors.ts';
import { Scope } from '../host/scope.ts';
import { flavorNamed, FLAVORS } from '../kernel/flavor.ts';
import { readSeries } from '../kernel/series.ts';
import { openTree } from '../kernel/tree.ts';
import { renderBisection, renderBisectionMail, trialLine } from '../report/bisection.ts';
import { DEFAULT_SHARES, shareNamed } from '../share/catalogue.ts';
import { discoverCases, selectCases, type Case } from '../suite/discover.ts';
import { suits } from '../suite/suitable.ts';
import { ensurePackages } from '../toolbox/packages.ts';
import { collect, commandLine, jsonOption, outputDirectory, positive } from './options.ts';
import { inSession, print } from './session.ts';

interface CaseOptions {
  readonly tree: string;
  readonly case: string;
  readonly share?: string;
  readonly cases?: string;
  readonly flavor: string;
  readonly config?: readonly string[];
  readonly counter?: string;
  readonly splat?: string;
  readonly jobs?: number;
  readonly fresh?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

interface BisectOptions extends CaseOptions {
  readonly good?: string;
  readonly bad: string;
  readonly series?: readonly string[];
  readonly configs?: readonly string[];
  readonly firstParent?: boolean;
  readonly runs: number;
  readonly maxRuns: number;
  readonly confidence: number;
}

const fraction = (value: string): number => {
  const number = Number(value);
  if (!(number > 0 && number < 1)) throw new InvalidArgumentError('give a number between 0 and 1');
  return number;
};

function addCaseOptions(command: Command): Command {
  return command
    .requiredOption('--case <case>', 'AREA/NAME, or AREA/NAME/SUBTEST to look at that subtest alone')
    .option('--share <name>', 'how the guest sees the directory (default: the first usual one that suits the case)')
    .option('--cases <dir>', 'take cases from this directory instead of the bundled ones')
    .addOption(new Option('--flavor <flavor>', 'kernel configuration').choices(Object.keys(FLAVORS)).default('fast'))
    .option('--config <fragment>', 'Kconfig fragment on top; may be repeated', collect)
    .option('--counter <condition>', "a kernel is good while this holds, as in 'REMOVEMAPPING.requests<=20'")
    .option('--splat <fingerprint>', 'a kernel is bad if its log shows this splat, and for nothing else')
    .option('--jobs <n>', 'guests at a time (default: one a core)', positive)
    .option('--fresh', 'try again what earlier bisections have seen')
    .option('--out <dir>', 'where reports and the records of every guest go (default: below the cache)')
    .addOption(jsonOption());
}

export function addBisect(program: Command): void {
  addCaseOptions(program.command('bisect').description('find the commit, the patch of a series or the Kconfig symbol that made a case fail'))
    .argument('[path...]', 'only commits that touch these')
    .requiredOption('--tree <dir|version>', 'git tree (never written to); with --series or --configs any kernel source')
    .option('--good <commit>', 'a commit where the case passes')
    .option('--bad <commit>', 'a commit where it fails', 'HEAD')
    .option('--first-parent', 'follow merges to their first parent only')
    .option('--series <series>', 'which patch of this series it is; may be repeated', collect)
    .option('--configs <file...>', 'a good and a bad Kconfig file: which symbol it is')
    .option('--runs <n>', 'runs of the bad end, which tell how often it fails', positive, 5)
    .option('--max-runs <n>', 'never more runs of one kernel', positive, 50)
    .option('--confidence <p>', 'wanted probability that no kernel is called good wrongly', fraction, 0.95)
    .action(async (paths: string[], options: BisectOptions) => {
      await inSession(async ({ context, display }) => {
        const startedAt = new Date();
        const { one, share, criterion } = await subjectOf(options);
        const flavor = flavorNamed(options.flavor);
        const common: Common = { flavor, fragmentFiles: (options.config ?? []).map((file) => resolve(file)), what: ['--share', share.name, ...(options.flavor === 'fast' ? [] : ['--flavor', options.flavor]), one.name] };
        await ensurePackages(context);
        const out = await outputDirectory(context, options.out);
        return await Scope.run(async (scope) => {
          const candidates = await candidatesOf(context, scope, options, paths, common);
          const trials = new Trials(context, { ...options, one, share, out, command: commandLine() }, {});
          const found = await bisect(trials, { candidates, ...(criterion === undefined ? {} : { criterion }), runs: options.runs, confidence: options.confidence, mostRuns: options.maxRuns }, {
            onCriterion: (text) => {
              display.line(`${candidates.history.candidates} candidates; bad is: ${text}`);
            },
            onTrial: (trial, role, stepsLeft) => {
              display.line(trialLine(trial, role, stepsLeft));
            },
          });
          const bisection = bisectionOf(found, { command: commandLine(), startedAt: startedAt.toISOString(), seconds: (Date.now() - startedAt.getTime()) / 1_000, case: options.case, share: share.name, flavor: flavor.name });
          print(options.json, bisection, renderBisection(bisection).trimEnd());
          await writeFile(join(out, 'bisect.json'), `${JSON.stringify(bisection, undefined, 2)}\n`);
          await writeFile(join(out, 'regression.txt'), renderBisectionMail(bisection));
          process.stderr.write(`results: ${out} (regression.txt is the draft of a mail)\n`);
          // Several suspects are an answer, and not the one that was asked for.
          return bisection.culprit === undefined ? 1 : 0;
        });
      });
    });
}

/** Exit codes that `git bisect run` understands: from 128 on it stops, so that a failure of ours can not pass for a verdict. */
const STEP = { good: 0, bad: 1, skip: 125, stop: 255 } as const;

export function addBisectStep(program: Command): void {
  addCaseOptions(program.command('bisect-step').description('judge the checked out commit, for `git bisect run`: exit 0 good, 1 bad, 125 skip, 255 stop'))
    .option('--tree <dir>', 'git tree', '.')
    .option('--runs <n>', 'runs without a failure that make a commit good', positive, 1)
    .action(async (options: CaseOptions & { readonly runs: number }) => {
      await inSession(async ({ context, display }) => {
        try {
          const { one, share, criterion } = await subjectOf(options);
          await ensurePackages(context);
          const tree = await underBisection(context, options.tree);
          const out = await outputDirectory(context, options.out);
          const request = { tree, series: [], flavor: flavorNamed(options.flavor), fragmentFiles: (options.config ?? []).map((file) => resolve(file)) };
          const trials = new Trials(context, { ...options, one, share, out, command: commandLine() }, {});
          const trial = await trials.judge({ id: 'step', title: tree.title, request }, criterion ?? byAnyFailure, options.runs);
          if (options.json === true) print(true, trial, '');
          else display.line(trialLine(trial, 'step'));
          return STEP[trial.verdict];
        } catch (error) {
          if (!(error instanceof FuselageError) || error instanceof InterruptedError) throw error;
          process.stderr.write(`fuselage: ${error.line}\n`);
          return STEP.stop;
        }
      });
    });
}

/** The case, on what, and what makes a kernel bad, where the options say it. */
async function subjectOf(options: CaseOptions) {
  const [area, file, ...rest] = options.case.split('/');
  const [one] = selectCases(await (options.cases === undefined ? discoverCases() : discoverCases(resolve(options.cases))), [`${area ?? ''}/${file ?? ''}`]);
  if (one === undefined) throw new InputError('case.none-matched', `no case ${options.case}`, { hint: '`fuselage list` shows them all' });
  const given = [options.counter, options.splat, rest.length === 0 ? undefined : rest.join('/')].filter((each) => each !== undefined);
  if (given.length > 1) throw new InputError('usage', 'a subtest, --counter and --splat exclude each other', { hint: 'say one thing that makes a kernel bad' });
  const criterion: Criterion | undefined = options.counter !== undefined ? byCounter(options.counter) : options.splat !== undefined ? bySplat(options.splat) : rest.length > 0 ? bySubtest(rest.join('/')) : undefined;
  return { one, share: shareFor(one, options.share), criterion };
}

function shareFor(one: Case, name: string | undefined) {
  if (name !== undefined) return shareNamed(name);
  const share = DEFAULT_SHARES.map((each) => shareNamed(each)).find((each) => suits(one, each) && (one.definition.needs ?? []).every((trait) => each.traits.includes(trait)));
  if (share === undefined) throw new InputError('usage', `no usual share suits ${one.name}`, { hint: 'give --share' });
  return share;
}

async function candidatesOf(context: Context, scope: Scope, options: BisectOptions, paths: readonly string[], common: Common) {
  const { tree, series, configs, good, bad } = options;
  if ([series, configs, good].filter((each) => each !== undefined).length !== 1)
    throw new InputError('usage', 'bisect what?', { hint: 'give one of --good COMMIT, --series SERIES and --configs GOOD BAD' });
  if (good !== undefined) return await commitsBetween(context, scope, { ...common, tree, good, bad, paths, firstParent: options.firstParent === true });
  const opened = await openTree(context, tree);
  if (series !== undefined) return await patchesOf(scope, { ...common, tree: opened, series: await Promise.all(series.map((name) => readSeries(name, opened))) });
  const [goodFile, badFile, ...more] = configs ?? [];
  if (goodFile === undefined || badFile === undefined || more.length > 0) throw new InputError('usage', '--configs wants two files', { hint: 'give --configs GOOD BAD' });
  return await symbolsBetween(scope, { ...common, tree: opened, good: resolve(goodFile), bad: resolve(badFile) });
}
