import manifest from '../../package.json' with { type: 'json' };

/** Of this build, from the package's manifest. */
export const VERSION: string = manifest.version;
