import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import type { KafkaSetUp } from './kafka-broker.ts';

export const user = 'worker';
export const password = 'only-for-this-test';

/** A broker that asks for rights: on its plain listener everything is allowed, on the second one logs in who has been given some. */
export const withRights: KafkaSetUp = {
  listener: { protocol: 'SASL_PLAINTEXT' },
  format: ['--add-scram', `SCRAM-SHA-512=[name=${user},password=${password}]`],
  properties: {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.second.scram-sha-512.sasl.jaas.config':
      'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  },
};

/** The user may do everything but read the settings of topics. */
export async function denySettings(bootstrapServers: string): Promise<void> {
  const admin = new Kafka({ brokers: [bootstrapServers], clientId: 'rights', logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const { ALLOW, DENY } = AclPermissionTypes;
  const rule = (resourceType: AclResourceTypes, operation: AclOperationTypes, permissionType: AclPermissionTypes) => ({
    resourceType,
    resourceName: resourceType === AclResourceTypes.CLUSTER ? 'kafka-cluster' : '*',
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation,
    permissionType,
  });
  const { TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID } = AclResourceTypes;
  await admin.createAcls({
    acl: [
      ...[TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID].map((type) => rule(type, AclOperationTypes.ALL, ALLOW)),
      rule(TOPIC, AclOperationTypes.DESCRIBE_CONFIGS, DENY),
    ],
  });
  await admin.disconnect();
}
