/** What says to the commands that talk to a control plane where it is; a server has no use for them. */
export const CLIENT_VARIABLES = ['LANEWISE_URL', 'LANEWISE_TOKEN'] as const;
