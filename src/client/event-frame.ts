/** One message of a deployment's event stream. */
export interface EventFrame {
  /** Only of what is kept. Good for `since`. */
  readonly id?: string;
  readonly type:
    | 'percentage_updated'
    | 'deployment_status_changed'
    | 'promotion_triggered'
    | 'rollback_triggered'
    | 'health_status_changed'
    | 'metrics_updated';
  readonly deployment_id: string;
  readonly timestamp: string;
  readonly data: Readonly<Record<string, unknown>>;
}
