import { Argument, Command } from 'commander';
import { VERSION } from '../runtime/version.ts';
import type { Host } from './host.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';
import { addOperatorCommands } from './operate/commands.ts';
import { candidatesAfter, completionScript, SHELLS, type Shell } from './operate/completion.ts';
import { loadSettings } from './settings.ts';
import type { SidecarOptions } from './sidecar.ts';

/** The command line. Commands load what they run, so that `--help` is quick. */
export function createProgram(host: Host): Command {
  const program = new Command('lanewise')
    .description(
      'Rolls out new versions of job workers: a proxy that splits each queue, and its control plane.',
    )
    .version(VERSION)
    // `lanewise proxy --version v1.3.0` names the worker's, not ours.
    .enablePositionalOptions()
    .showHelpAfterError('(--help says what there is)')
    .exitOverride()
    .addHelpText(
      'after',
      `\nExit codes:\n${EXIT_MEANINGS.map(([code, meaning]) => `  ${code}  ${meaning}`).join('\n')}`,
    );

  const serving = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'YAML configuration; the environment wins over it');

  serving('standalone', 'Both planes in one process; embedded store unless REDIS_URL is set.').action(
    async (options: { config?: string }) => {
      const { runStandalone } = await import('./planes.ts');
      await runStandalone(host, loadSettings(host, options.config));
    },
  );
  serving('control', 'The control plane alone; needs REDIS_URL.').action(
    async (options: { config?: string }) => {
      const { runControl } = await import('./run-control.ts');
      await runControl(host, loadSettings(host, options.config));
    },
  );
  serving(
    'proxy',
    'A proxy alone; needs REDIS_URL. With --worker it is the sidecar of a worker that it registers.',
  )
    .option('--worker <url>', 'the worker beside it; registered for as long as this proxy runs')
    .option('--version <version>', "the worker's version")
    .option('--queues <queues>', 'that the worker serves, separated by commas')
    .option('--lane <lane>', 'that the worker registers with, stable or canary', 'stable')
    .option('--health-path <path>', 'of the worker, that answers 2xx while it is well')
    .option('--worker-id <id>', 'made from host name and port if left out')
    .action(async (options: SidecarOptions & { config?: string }) => {
      const [{ runProxy }, { sidecarWorker }] = await Promise.all([
        import('./run-proxy.ts'),
        import('./sidecar.ts'),
      ]);
      await runProxy(host, loadSettings(host, options.config), sidecarWorker(options, host.name));
    });
  serving(
    'export',
    'Print all deployments, events, routes and workers of the store, as lines of JSON.',
  ).action(async (options: { config?: string }) => {
    const { runExport } = await import('./backup.ts');
    await runExport(host, loadSettings(host, options.config), new Date());
  });
  serving('import', 'Restore what export has printed, into an empty store.')
    .argument('<file>', 'that export has printed')
    .action(async (file: string, options: { config?: string }) => {
      const { runImport } = await import('./backup.ts');
      await runImport(host, loadSettings(host, options.config), file);
    });
  addOperatorCommands(program, host);
  program
    .command('config')
    .description('The configuration of a server.')
    .command('check')
    .description('Read the file and the environment, and say everything that is wrong with them.')
    .option('-c, --config <file>', 'YAML configuration; the environment wins over it')
    .action((options: { config?: string }) => {
      const { config } = loadSettings(host, options.config);
      host.print(
        `The configuration is valid: ${config.redis_url === undefined ? `embedded store in ${config.data_dir}` : 'state in Redis'}.`,
      );
    });
  program
    .command('completion')
    .description('A script for the shell: eval "$(lanewise completion bash)".')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action((shell: Shell) => host.print(completionScript(shell)));
  program
    .command('complete-words', { hidden: true })
    .argument('[words...]')
    .action((words: string[]) => host.print(candidatesAfter(program, words).join('\n')));
  program
    .command('demo')
    .description('Watch a good version being rolled out and a bad one being rolled back, then end.')
    .option('--keep', 'leave it running at the end')
    .action(async (options: { keep?: boolean }) => {
      const { runDemo } = await import('./demo/demo.ts');
      await runDemo(host, { keep: options.keep === true });
    });
  program
    .command('demo-worker', { hidden: true })
    .option('--failing <share>', 'of the jobs, 0 to 1', Number, 0)
    .action(async ({ failing }: { failing: number }) => {
      host.endWithParent();
      const { runDemoWorker } = await import('./demo/worker-process.ts');
      runDemoWorker({ failing, random: Math.random, onListening: (url) => host.tellParent(url) });
    });
  return program;
}
