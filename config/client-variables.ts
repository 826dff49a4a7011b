/** What says to the commands that talk to a control plane where it is, and how; a server has no use for them. */
export const CLIENT_VARIABLES = [
  'LANEWISE_URL',
  'LANEWISE_TOKEN',
  'LANEWISE_CA',
  'LANEWISE_CERT',
  'LANEWISE_KEY',
] as const;
