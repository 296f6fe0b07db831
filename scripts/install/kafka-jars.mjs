import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { cacheDir } from './clone-paths.mjs';
import { composeImage } from './compose-image.mjs';
import { findProgram } from './find-program.mjs';
import { runCommand } from '../processes/run-command.mjs';
import { installPackages } from './system-packages.mjs';

/** What a Kafka 4 broker needs. */
const JAVA_AT_LEAST = 17;

/** @param {string} kafkaVersion */
const pomFor = (kafkaVersion) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>
    <!-- Without a binding for slf4j 1.7 a broker that cannot start says nothing. -->
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
`;

const kafkaDir = path.join(cacheDir, 'kafka');

/**
 * Apache Kafka and a Java that runs it: fetched once with Maven, then kept in .cache.
 *
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<{java: string, jarsDir: string} | null>} null when Java or Maven is missing and cannot be installed
 */
export async function ensureKafkaJars({ signal } = {}) {
  const jarsDir = path.join(kafkaDir, 'jars');
  const pomFile = path.join(kafkaDir, 'pom.xml');
  const doneFile = path.join(kafkaDir, 'jars-complete');
  const { tag: kafkaVersion } = composeImage('apache/kafka');
  const pom = pomFor(kafkaVersion);
  const isFetched = existsSync(doneFile) && readFileSync(doneFile, 'utf8') === pom;

  const hasPrograms = () => findJava() !== null && (isFetched || findProgram('mvn') !== null);
  if (!hasPrograms()) {
    await installPackages(
      {
        apt: ['default-jre-headless', 'maven'],
        apk: ['openjdk17-jre-headless', 'maven'],
        dnf: ['java-latest-openjdk-headless', 'maven'],
        brew: ['openjdk', 'maven'],
      },
      { signal },
    );
  }
  const java = findJava();
  const maven = findProgram('mvn');
  if (java === null || (!isFetched && maven === null)) return null;

  if (!isFetched && maven !== null) {
    console.log(`Fetching Apache Kafka ${kafkaVersion} with Maven …`);
    rmSync(kafkaDir, { recursive: true, force: true });
    mkdirSync(kafkaDir, { recursive: true });
    writeFileSync(pomFile, pom);
    await runCommand(
      maven,
      ['-q', '-B', '-f', pomFile, 'dependency:copy-dependencies', `-DoutputDirectory=${jarsDir}`, '-DincludeScope=runtime'],
      { signal },
    );
    writeFileSync(doneFile, pom);
  }
  return { java, jarsDir };
}

/** @returns {string | null} a Java new enough for the broker */
function findJava() {
  const home = process.env.JAVA_HOME;
  const candidates = [
    home === undefined ? null : path.join(home, 'bin', 'java'),
    findProgram('java'),
    // Homebrew does not link its Java into PATH.
    '/opt/homebrew/opt/openjdk/bin/java',
    '/usr/local/opt/openjdk/bin/java',
  ];
  return candidates.find((java) => java !== null && existsSync(java) && javaVersion(java) >= JAVA_AT_LEAST) ?? null;
}

/** @param {string} java */
function javaVersion(java) {
  try {
    const text = execFileSync(java, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(/(\d+)/.exec(text)?.[1] ?? 0);
  } catch {
    // Java 8 knows no --version, and macOS has a java that only asks to install one: neither is of use.
    return 0;
  }
}
