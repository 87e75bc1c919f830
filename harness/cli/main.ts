// SPDX-License-Identifier: GPL-2.0-only
import { Command, CommanderError } from 'commander';
import { addBisect, addBisectStep } from './bisect.ts';
import { addBuild } from './build.ts';
import { addCheck } from './check.ts';
import { addDoctor } from './doctor.ts';
import { addFetch } from './fetch.ts';
import { addHistory, addReport } from './history.ts';
import { addList } from './list.ts';
import { addMutants } from './mutants.ts';
import { addMerge, addNightly, addWorker } from './nightly.ts';
import { addRun } from './run.ts';
import { finish } from './session.ts';
import { addSetup } from './setup.ts';
import { addReproduce } from './reproduce.ts';
import { addShell } from './shell.ts';
import { addStart } from './start.ts';
import { addTrace } from './trace.ts';

const program = new Command('fuselage')
  .description('Proves or disproves a Linux kernel change in FUSE, virtio-fs, DAX and EROFS.')
  .exitOverride()
  .showHelpAfterError('(see --help)')
  .addHelpText('after', '\nExit codes: 0 nothing regressed, 1 regressed or failed, 2 bad usage or input, 3 the infrastructure failed.');

for (const add of [addStart, addSetup, addDoctor, addFetch, addBuild, addRun, addCheck, addBisect, addBisectStep, addNightly, addWorker, addMerge, addHistory, addReport, addMutants, addTrace, addShell, addReproduce, addList]) add(program);
for (const command of program.commands) command.exitOverride().showHelpAfterError('(see --help)');

try {
  await program.parseAsync();
} catch (error) {
  // Commander has already said what is wrong; --help is no error.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else finish(error);
}
