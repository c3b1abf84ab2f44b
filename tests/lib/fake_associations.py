"""Systems Manager's associations for moto, which has none: their versions, their executions on instances, the output.

As documented, an instance registers some time after its start, an association runs when it is created or changed and
when its instance registers, and an execution is Pending and InProgress before it ends. Each question for the status
of an instance's associations is a step in time, and the first one still shows the execution before. As in
terraform-provider-aws#31175, the Overview of an association that no instance has run is Success.
"""

import datetime
import json
import uuid

from fake_api import Refused

FIELDS = ("Name", "AssociationName", "DocumentVersion", "Targets", "Parameters", "Tags")
STATES = ("Pending", "InProgress")
OUTPUT = {"Success": ("installed\n", ""), "Failed": ("downloading\n", "no space left\nfailed to run commands: exit 3")}
QUESTIONS = 2  # questions for the registration of an instance before it is there


class Known(dict):
    """The descriptions of the associations by their id."""

    def __missing__(self, identity):
        raise Refused("AssociationDoesNotExist")


class Execution:
    """One run of a version of an association on an instance."""

    def __init__(self, association, instance, result):
        self.association, self.version = association["AssociationId"], association["AssociationVersion"]
        self.document_version = association["DocumentVersion"]
        self.instance, self.result, self.steps = instance, result, -1  # not shown yet
        self.id, self.command = str(uuid.uuid4()), str(uuid.uuid4())
        self.date = datetime.datetime.now(datetime.timezone.utc)

    @property
    def status(self):
        return STATES[max(0, self.steps)] if self.steps < len(STATES) else self.result


class Associations:
    """`results` are those of the next executions, Success when it is empty; `known` the descriptions by their id."""

    def __init__(self):
        self.known, self.executions, self.results = Known(), [], []
        self.registered, self.asked, self.questions = set(), {}, QUESTIONS
        self.agent = "3.3.2746.0"
        self.idle = False  # whether Systems Manager does not run what was created or changed

    def run(self, association):
        """Runs an association on its instances that have registered."""
        for target in association["Targets"]:
            for instance in target["Values"]:
                if instance in self.registered:
                    result = self.results.pop(0) if self.results else "Success"
                    self.executions.append(Execution(association, instance, result))

    def register(self, instance):
        """The agent of an instance registers, which runs every association."""
        self.registered.add(instance)
        for association in self.known.values():
            self.changed(association)

    def changed(self, association):
        if not self.idle:
            self.run(association)

    def newest(self, association):
        return next((e for e in reversed(self.executions) if e.association == association), None)

    def describe(self, identity):
        """The description of an association, with the Overview that the API gives it."""
        newest = self.newest(identity)
        status = newest.status if newest else "Success"
        counts = {status: 1} if newest else {}
        overview = {"Status": "Pending" if status in STATES else status, "AssociationStatusAggregatedCount": counts}
        return self.known[identity] | {"Overview": overview}

    # The operations of the API, with their requests as keywords.

    def on_create_association(self, **request):
        fixed = {"AssociationId": str(uuid.uuid4()), "AssociationVersion": "1"}
        made = self.known[fixed["AssociationId"]] = {key: request[key] for key in FIELDS if key in request} | fixed
        self.changed(made)
        return {"AssociationDescription": self.describe(made["AssociationId"])}

    def on_update_association(self, AssociationId, **request):
        association = self.known[AssociationId]
        association.update({key: request[key] for key in FIELDS if key in request})
        association["AssociationVersion"] = str(int(association["AssociationVersion"]) + 1)
        self.changed(association)
        return {"AssociationDescription": self.describe(AssociationId)}

    def on_list_associations(self, AssociationFilterList, **_):
        ((key, name),) = [(entry["key"], entry["value"]) for entry in AssociationFilterList]
        return {"Associations": [known for known in self.known.values() if known.get(key) == name]}

    def on_describe_association(self, AssociationId, **_):
        return {"AssociationDescription": self.describe(AssociationId)}

    def on_delete_association(self, AssociationId, **_):
        del self.known[AssociationId]
        return {}

    def on_start_associations_once(self, AssociationIds):
        for identity in AssociationIds:
            self.run(self.known[identity])
        return {}

    def on_describe_instance_information(self, Filters, **_):
        ((instance,),) = [entry["Values"] for entry in Filters]
        self.asked[instance] = self.asked.get(instance, 0) + 1
        if instance not in self.registered and self.asked[instance] > self.questions:
            self.register(instance)
        online = {"InstanceId": instance, "PingStatus": "Online", "AgentVersion": self.agent}
        return {"InstanceInformationList": [online] if instance in self.registered else []}

    def on_describe_instance_associations_status(self, InstanceId, **_):
        if InstanceId not in self.registered:
            raise Refused("InvalidInstanceId")
        here = [execution for execution in self.executions if execution.instance == InstanceId]
        newest = {execution.association: execution for execution in here}.values()
        shown = {execution.association: execution for execution in here if execution.steps >= 0}.values()
        answer = {
            "InstanceAssociationStatusInfos": [
                {
                    "AssociationId": execution.association,
                    "AssociationVersion": execution.version,
                    "DocumentVersion": execution.document_version,
                    "InstanceId": InstanceId,
                    "ExecutionDate": execution.date,
                    "Status": execution.status,
                    "DetailedStatus": execution.status,
                }
                for execution in shown
            ]
        }
        for execution in newest:
            execution.steps += 1
        return answer

    def on_describe_association_executions(self, AssociationId, **_):
        every = [execution for execution in self.executions if execution.association == AssociationId]
        return {
            "AssociationExecutions": [
                {
                    "AssociationId": AssociationId,
                    "AssociationVersion": execution.version,
                    "ExecutionId": execution.id,
                    "Status": execution.status,
                    "CreatedTime": execution.date,
                }
                for execution in every
            ]
        }

    def on_describe_association_execution_targets(self, AssociationId, ExecutionId, **_):
        (execution,) = [execution for execution in self.executions if execution.id == ExecutionId]
        source = {"OutputSourceId": execution.command, "OutputSourceType": "RunCommand"}
        target = {"ResourceId": execution.instance, "Status": execution.status, "OutputSource": source}
        return {"AssociationExecutionTargets": [target | {"AssociationId": AssociationId, "ExecutionId": ExecutionId}]}

    def on_get_command_invocation(self, CommandId, InstanceId, **_):
        found = [execution for execution in self.executions if execution.command == CommandId]
        if not found:
            raise Refused("InvocationDoesNotExist")
        output, errors = OUTPUT.get(found[0].status, ("", ""))
        texts = {"StandardOutputContent": output, "StandardErrorContent": errors}
        return texts | {"CommandId": CommandId, "InstanceId": InstanceId, "Status": found[0].status}

    def add_to_moto(self):
        """Adds the operations to moto's Systems Manager, in this process."""
        from moto.core.responses import ActionResult
        from moto.ssm.exceptions import SSMException
        from moto.ssm.responses import SimpleSystemManagerResponse as Response

        tags_of_others = Response.list_tags_for_resource

        def answering(operation):
            def answer(response):
                try:
                    return ActionResult(operation(**json.loads(response.body)))
                except Refused as refused:
                    raise SSMException(str(refused), f"{refused} in {operation.__name__}") from None

            return answer

        def list_tags_for_resource(response):
            if response._get_param("ResourceType") != "Association":
                return tags_of_others(response)
            return ActionResult({"TagList": self.known[response._get_param("ResourceId")].get("Tags", [])})

        for name in dir(self):
            if name.startswith("on_"):
                setattr(Response, name.removeprefix("on_"), answering(getattr(self, name)))
        Response.list_tags_for_resource = list_tags_for_resource
