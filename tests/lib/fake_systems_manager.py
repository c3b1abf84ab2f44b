"""A fake of Systems Manager, and of EC2's DescribeInstances, on a loopback port; its one instance runs commands here.

A command is what terraform/ makes of it: the parameters must match the patterns in deploy.tf, and reach the text of
commands/verb.sh as environment variables. `host` is the directory that stands for the instance's root. As in AWS, a
command is unknown at first, says nothing before its end, and no more than 24,000 and 8,000 characters then.
AWS_ENDPOINT_URL points boto3 at it.
"""

import os
import re
import subprocess
import uuid
from pathlib import Path

from fake_api import Api, Refused

TERRAFORM = Path(__file__).parents[2] / "terraform"
INSTANCE = "i-0123456789abcdef0"
INSTANCES = f"""<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item>
<instancesSet><item><instanceId>{INSTANCE}</instanceId><instanceState><code>16</code><name>running</name></instanceState>
<ipAddress>203.0.113.7</ipAddress></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
CUT = "\n--output truncated--"


class SystemsManager(Api):
    def __init__(self, host, name="book-shop"):
        super().__init__()
        self.host, self.name, self.commands = Path(host), name, {}
        text = (TERRAFORM / "deploy.tf").read_text()
        self.verbs = {
            at: re.findall('"([a-z-]+)"', words) for at, words in re.findall(r"(data|dev|prod) += \[(.*)\]", text)
        }
        found = re.findall(r'(\w+) = {\s+description[^}]*?default +=\s+"(.*)"\s+allowedPattern = "(.*)"\n', text)
        self.parameters = {key: (default, pattern.replace("\\\\", "\\")) for key, default, pattern in found}

    def answer(self, operation, body):
        if operation:
            return super().answer(operation, body)
        self.calls.append(("DescribeInstances", {}))  # EC2 is asked by forms, and answers in XML
        return "text/xml", INSTANCES

    def on_DescribeInstanceInformation(self, **_):
        return {"InstanceInformationList": [{"InstanceId": INSTANCE, "PingStatus": "Online"}]}

    def on_SendCommand(self, InstanceIds, DocumentName, Parameters, **_):
        if InstanceIds != [INSTANCE]:
            raise Refused("InvalidInstanceId")
        name, _, environment = DocumentName.rpartition("-")
        if name != self.name or environment not in self.verbs:
            raise Refused("InvalidDocument")
        given = {key: values[0] for key, values in Parameters.items()}
        if given.pop("Verb", None) not in self.verbs[environment] or not given.keys() <= self.parameters.keys():
            raise Refused("InvalidParameters")
        given = {key: given.get(key, default) for key, (default, _) in self.parameters.items()}
        if not all(re.fullmatch(self.parameters[key][1].strip("^$"), value) for key, value in given.items()):
            raise Refused("InvalidParameters")
        variables = {f"SSM_{key}": value for key, value in {**given, "Verb": Parameters["Verb"][0]}.items()}
        script = (TERRAFORM / "commands/verb.sh").read_text().replace("bin=/opt", f"bin={self.host}/opt")
        environ = {"PATH": os.environ["PATH"], **variables}
        streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        command = str(uuid.uuid4())
        self.commands[command] = [False, subprocess.Popen(["sh", "-c", script], env=environ, text=True, **streams)]
        return {"Command": {"CommandId": command}}

    def on_GetCommandInvocation(self, CommandId, InstanceId, **_):
        asked, process = self.commands[CommandId]
        self.commands[CommandId][0] = True
        if not asked:
            raise Refused("InvocationDoesNotExist")
        answer = {"CommandId": CommandId, "InstanceId": InstanceId, "ResponseCode": -1, "Status": "InProgress"}
        answer |= {"StandardOutputContent": "", "StandardErrorContent": ""}
        if isinstance(process, subprocess.Popen):
            try:
                process = self.commands[CommandId][1] = (*process.communicate(timeout=0.1), process.returncode)
            except subprocess.TimeoutExpired:
                return answer | {"StatusDetails": "InProgress"}
        output, errors, code = process
        answer["StandardOutputContent"] = output if len(output) <= 24000 else output[: 24000 - len(CUT)] + CUT
        errors += f"failed to run commands: exit status {code}" if code else ""
        answer["StandardErrorContent"] = errors if len(errors) <= 8000 else errors[: 8000 - len(CUT)] + CUT
        status = "Failed" if code else "Success"
        return answer | {"ResponseCode": code, "Status": status, "StatusDetails": status}
