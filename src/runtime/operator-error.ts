/** What the operator can mend; its message is the whole story, a stack would only hide it. */
export class OperatorError extends Error {}
