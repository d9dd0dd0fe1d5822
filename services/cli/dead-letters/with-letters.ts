import { dlqOf, topics } from '@bookstream/schemas/topics';
import { type AdminPort, connectKafka, type KafkaPort } from '@bookstream/streams/kafka/index';
import { applications } from '../applications.ts';
import { demandUrl } from '../options.ts';
import { useRunning } from '../running.ts';
import { deadLetterTopics, type Letters, readLetters } from './letters.ts';

type Kafka = KafkaPort & AdminPort;

/** Opens the Kafka of the environment or of the platform that runs, and closes it again. */
export async function withKafka<T>(work: (kafka: Kafka) => Promise<T>): Promise<T> {
  useRunning();
  const kafka = await connectKafka({ bootstrapServers: demandUrl('KAFKA_URL'), clientId: 'bookstream-cli-dlq' });
  try {
    return await work(kafka);
  } finally {
    await kafka.close();
  }
}

/** Every letter of the shop, and what is parked. */
export async function allLetters(kafka: Kafka): Promise<Letters> {
  const own = new Set(Object.values(topics).map((topic) => dlqOf(topic).name));
  return readLetters(kafka, await deadLetterTopics(kafka, own, applications.keys()), applications);
}
