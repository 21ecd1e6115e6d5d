from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [('parley', '0028_file_removal')]

    initial = False

    operations = [
        ops.CreateModel(
            name='SealedFile',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('report', fields.ForeignKeyField('parley.Report', source_field='report_id', db_index=True, db_constraint=True, to_field='id', related_name='files', on_delete=OnDelete.CASCADE)),
                ('code', fields.CharField(unique=True, max_length=22)),
                ('place', fields.SmallIntField(default=0)),
                ('kind', fields.CharField(max_length=8)),
                ('type', fields.CharField(max_length=60)),
                ('name', fields.CharField(max_length=120)),
                ('description', fields.CharField(default='', max_length=300)),
                ('size', fields.BigIntField()),
                ('width', fields.IntField(null=True)),
                ('height', fields.IntField(null=True)),
                ('thumb_width', fields.IntField(null=True)),
                ('thumb_height', fields.IntField(null=True)),
                ('thumb_size', fields.IntField(null=True)),
            ],
            options={'table': 'sealed_file', 'app': 'parley', 'pk_attr': 'id', 'table_description': 'A copy of a file of a reported message: that one may be deleted at any time.'},
            bases=['Model'],
        ),
    ]
